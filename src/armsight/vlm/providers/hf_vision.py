"""Vision-language models from Hugging Face, run on this machine.

inspect_ai's own `hf` provider refuses pictures ('does not support multimodal content'), so this
one stands in: `hf/ORG/NAME` in armsight, `armsight/hf-vision/ORG/NAME` in inspect_ai.
"""

from __future__ import annotations

import asyncio
import base64
import io
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ContentImage,
    ContentText,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo
from PIL import Image

from armsight.errors import MissingExtraError
from armsight.vlm.errors import ServerError, UnknownModelError

HUB_TIMEOUT_S = 10


@modelapi(name="hf-vision")
def hf_vision() -> type[ModelAPI]:
    """The provider."""
    return HuggingFaceVision


class HuggingFaceVision(ModelAPI):
    """An image-text-to-text model of `transformers`; one request at a time."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        self.model_args = model_args
        try:
            import torch
            import transformers  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(
                f"the local model {model_name}",
                "transformers with torch",
                "pip install transformers torch==2.13.0 accelerate",
            ) from error
        self._torch = torch
        self._lock = asyncio.Lock()

    @cached_property
    def loaded(self) -> tuple[Any, Any]:
        """Processor and model; downloaded when first used, or read from a local folder."""
        import transformers

        processors: Any = transformers.AutoProcessor
        models: Any = transformers.AutoModelForImageTextToText
        offline = only_here(self.model_name)
        processor = processors.from_pretrained(self.model_name, local_files_only=offline)
        model = models.from_pretrained(
            self.model_name, dtype="auto", local_files_only=offline, **self.model_args
        )
        return processor, model.eval()

    def max_connections(self) -> int:
        return 1

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        async with self._lock:
            return await asyncio.to_thread(self._generate, input, config)

    def _generate(self, input: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        processor, model = self.loaded
        inputs = processor.apply_chat_template(
            [as_chat(message) for message in input],
            add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
        ).to(model.device)  # fmt: skip
        start = time.perf_counter()
        length = inputs["input_ids"].shape[1]
        most = config.max_tokens or 1024
        sampling: dict[str, Any] = {}
        if config.temperature is not None:
            sampling["do_sample"] = config.temperature > 0
            if config.temperature > 0:
                sampling["temperature"] = config.temperature
        with self._torch.inference_mode():
            made = model.generate(**inputs, max_new_tokens=most, **sampling)[0, length:]
        text = processor.decode(made, skip_special_tokens=True)
        cut = len(made) >= most
        return ModelOutput(
            model=self.model_name,
            choices=[
                ChatCompletionChoice(
                    message=ChatMessageAssistant(content=text, model=self.model_name),
                    stop_reason="max_tokens" if cut else "stop",
                )
            ],
            usage=ModelUsage(
                input_tokens=int(length),
                output_tokens=len(made),
                total_tokens=int(length) + len(made),
            ),
            time=time.perf_counter() - start,
        )


def only_here(name: str) -> bool:
    """Whether the model is read from this machine: it is a folder, or the Hub is not in reach.

    Asked once, with a short patience: transformers would ask for each of its files, many times.

    Raises:
        UnknownModelError: the Hub has no such model, or does not show it to this user.
        ServerError: the Hub is out of reach, and the model was never downloaded.
    """
    if Path(name).is_dir():
        return True
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        HfApi().model_info(name, timeout=HUB_TIMEOUT_S)
    except (HFValidationError, RepositoryNotFoundError) as error:
        raise UnknownModelError(
            f"hf/{name}: no such model on the Hugging Face Hub and no such folder, or it is "
            "private or gated (HF_TOKEN)"
        ) from error
    except Exception as error:  # the HTTP package's own, which changes with its version
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            return True
        raise ServerError(
            f"hf/{name}: it is not on this machine, and the Hugging Face Hub cannot be reached "
            f"({error})"
        ) from error
    return False


def as_chat(message: ChatMessage) -> dict[str, Any]:
    """A message in the form of transformers' chat templates, pictures decoded."""
    content = message.content
    parts: list[dict[str, Any]] = []
    for part in [ContentText(text=content)] if isinstance(content, str) else content:
        if isinstance(part, ContentImage):
            data = base64.b64decode(part.image.partition(";base64,")[2], validate=True)
            with Image.open(io.BytesIO(data)) as image:
                parts.append({"type": "image", "image": image.convert("RGB")})
        elif isinstance(part, ContentText):
            parts.append({"type": "text", "text": part.text})
    return {"role": message.role, "content": parts}
