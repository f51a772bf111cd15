"""The page of `armsight live` in a real, headless Chromium."""

from __future__ import annotations

import base64
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from armsight.data.video import VideoWriter
from armsight.estimate.estimator import Estimator
from armsight.viz.silhouette import silhouette
from tests.charted_arm import ROBOT
from tests.fake_weights import write_fake_weights
from tests.web.served import Server, server_process

pytest.importorskip("starlette", reason="the extra `live` is not installed")
pytest.importorskip("uvicorn", reason="the extra `live` is not installed")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if CHROMIUM is None or DRIVER is None:
    pytest.skip("no chromium and chromedriver on this machine", allow_module_level=True)

FRAMES = 30


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_weights(tmp_path_factory.mktemp("weights"), encoder=True)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,800",
        "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "arm.png"
    Image.fromarray(np.full((240, 320, 3), 120, np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def dropping(weights: Path) -> Iterator[Server]:
    with server_process("live", "--robot", str(weights)) as server:
        yield server


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.05)
    return value


def visit(browser: Any, server: Server) -> None:
    browser.get("about:blank")  # the page of a server that has ended keeps asking it
    browser.get_log("browser")
    browser.get(f"http://{server.host}:{server.port}/")
    wait_for(lambda: browser.execute_script("return Boolean(window.armsight?.arm)"))


def open_photo(browser: Any, path: Path) -> None:
    seen = browser.execute_script("return armsight.photoCount ?? 0")
    browser.find_element("id", "file").send_keys(str(path))
    wait_for(lambda: browser.execute_script("return armsight.photoCount ?? 0") > seen)


def texts(browser: Any) -> list[str]:
    return [one.text for one in browser.find_elements("css selector", "#curves .value")]


def shown_angles(values: Any, stds: Any) -> list[str]:
    return [
        f"{q:.1f}°± {std:.1f}°" for q, std in zip(np.degrees(values), np.degrees(stds), strict=True)
    ]


def no_complaints(browser: Any) -> None:
    assert [one for one in browser.get_log("browser") if one["level"] == "SEVERE"] == []


def test_a_clip_plays_with_the_numbers_of_estimate(
    browser: Any, weights: Path, tmp_path: Path
) -> None:
    greys = [5 if i % 10 == 3 else 100 + i for i in range(FRAMES)]
    clip = tmp_path / "clip.mp4"
    with VideoWriter(clip, 15) as writer:
        for i, grey in enumerate(greys):
            writer.write(np.full((240, 320, 3), grey, np.uint8), i / 15)
    with server_process("live", str(clip), "--robot", str(weights)) as server:
        visit(browser, server)
        wait_for(lambda: browser.find_element("id", "state").text == "ended")
        received = browser.execute_script("return armsight.received")
        last = browser.execute_script("return armsight.shown.estimate")
        assert browser.execute_script("return armsight.drawn") >= 3
        assert texts(browser) == shown_angles(last["joint_positions"], last["joint_std"])
        browser.find_element("id", "replay").click()
        wait_for(lambda: browser.execute_script("return armsight.received.length") < FRAMES)
        no_complaints(browser)
    from click.testing import CliRunner

    from armsight.cli.estimate import command

    options = [str(clip), "--robot", str(weights), "--static-camera", "no", "--out", str(tmp_path)]
    assert CliRunner().invoke(command, options).exit_code == 0
    rows = [json.loads(line) for line in (tmp_path / "clip.jsonl").read_text().splitlines()]
    assert [one["frame"] for one in received] == list(range(FRAMES))
    assert received == [{name: row[name] for name in received[0]} for row in rows]
    assert last == rows[-1]


def test_a_photo_is_read_and_drawn_where_it_is(
    browser: Any, dropping: Server, weights: Path, photo: Path
) -> None:
    visit(browser, dropping)
    open_photo(browser, photo)
    shown = browser.execute_script("return armsight.shown.estimate")
    own = Estimator.from_pretrained(weights)(photo)
    assert shown == {**own.to_json(), "image": "arm.png"}
    assert texts(browser) == shown_angles(own.joint_positions, own.joint_std)
    assert "confidence" in browser.find_element("id", "found").text
    # What WebGL painted, against the silhouette that OpenCV fills.
    data = browser.execute_script("return document.getElementById('overlay').toDataURL()")
    painted = np.asarray(Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))))
    assert painted.shape == (240, 320, 4)
    assert own.joint_positions is not None
    assert own.T_cam_base is not None
    assert own.K is not None
    filled = silhouette(ROBOT, own.joint_positions, own.T_cam_base, own.K, 320, 240) > 0
    mask = painted[..., 3] > 127
    assert filled.sum() > 3000
    assert (mask & filled).sum() / (mask | filled).sum() > 0.97
    no_complaints(browser)


def test_links_are_where_forward_kinematics_puts_them(browser: Any, dropping: Server) -> None:
    visit(browser, dropping)
    q = np.random.default_rng(0).uniform(*ROBOT.joint_limits.T)
    frames = browser.execute_script(
        "return armsight.arm.frames(arguments[0]).map(frame => [...frame])", q.tolist()
    )
    own = ROBOT.forward_kinematics(q)
    np.testing.assert_allclose(np.reshape(frames, (-1, 4, 4)).transpose(0, 2, 1), own, atol=1e-9)


def test_the_arm_can_be_turned(browser: Any, dropping: Server) -> None:
    visit(browser, dropping)
    picture = "return document.getElementById('space').toDataURL()"
    before = browser.execute_script(picture)
    space = browser.find_element("id", "space")
    webdriver.ActionChains(browser).drag_and_drop_by_offset(space, 120, 30).perform()
    turned = browser.execute_script(picture)
    assert turned != before
    webdriver.ActionChains(browser).double_click(space).perform()
    assert browser.execute_script(picture) == before


def test_what_cannot_be_read_is_said_and_the_rest_goes_on(
    browser: Any, dropping: Server, photo: Path, tmp_path: Path
) -> None:
    visit(browser, dropping)
    broken = tmp_path / "notes.png"
    broken.write_bytes(b"hello")
    browser.find_element("id", "file").send_keys(str(broken))
    message = browser.find_element("id", "message")
    wait_for(message.is_displayed)
    assert "notes.png: the image is not an image that can be read" in message.text
    message.find_element("tag name", "button").click()
    assert not message.is_displayed()
    open_photo(browser, photo)
    dark = tmp_path / "dark.png"
    Image.fromarray(np.full((240, 320, 3), 5, np.uint8)).save(dark)
    open_photo(browser, dark)
    assert browser.find_element("id", "found").text == "no arm found"
    assert texts(browser) == ["–"] * 7


def test_dropping_a_photo(browser: Any, dropping: Server, photo: Path) -> None:
    visit(browser, dropping)
    browser.execute_script(
        "const bytes = Uint8Array.from(atob(arguments[0]), c => c.charCodeAt(0));"
        "const data = new DataTransfer();"
        "data.items.add(new File([bytes], 'dropped.png', { type: 'image/png' }));"
        "window.dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));",
        base64.b64encode(photo.read_bytes()).decode(),
    )
    wait_for(lambda: browser.execute_script("return armsight.shown?.name") == "dropped.png")


def test_saving_picture_and_json(
    browser: Any, dropping: Server, photo: Path, tmp_path: Path
) -> None:
    visit(browser, dropping)
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    open_photo(browser, photo)
    browser.find_element("id", "save").click()
    targets = [tmp_path / "arm.json", tmp_path / "arm.overlay.png"]
    wait_for(lambda: all(path.exists() for path in targets))
    shown = browser.execute_script("return armsight.shown.estimate")
    assert json.loads(targets[0].read_text()) == shown
    drawn = np.asarray(Image.open(targets[1]).convert("RGB")).astype(int)
    assert drawn.shape == (240, 320, 3)
    assert 0.02 < (np.abs(drawn - 120).max(axis=2) > 10).mean() < 0.9


def test_memory_stays_where_it_is(browser: Any, weights: Path, tmp_path: Path) -> None:
    """Some seconds of video; ten minutes of the same are measured by hand."""
    clip = tmp_path / "long.mp4"
    with VideoWriter(clip, 30) as writer:
        for i in range(900):
            writer.write(np.full((240, 320, 3), 100 + i % 50, np.uint8), i / 30)

    def heap() -> float:
        browser.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        return float(browser.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"]) / 1e6

    with server_process("live", str(clip), "--robot", str(weights)) as server:
        visit(browser, server)
        wait_for(lambda: browser.execute_script("return armsight.received.length") > 100)
        page, process = heap(), server.memory_mb()
        number = browser.execute_script("return armsight.received.at(-1).frame")
        wait_for(
            lambda: browser.execute_script("return armsight.received.at(-1).frame") > number + 100
        )
        assert heap() - page < 3
        assert server.memory_mb() - process < 25
