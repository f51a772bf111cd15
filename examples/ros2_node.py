"""A ROS 2 node: pictures of an arm in, its joint states and its camera's place out.

python examples/ros2_node.py --ros-args -r image:=/cam/image_raw -r camera_info:=/cam/camera_info

Needs a ROS 2 with rclpy and tf2_ros, and `pip install armsight` into its Python."""

import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, JointState
from tf2_ros import TransformBroadcaster

from armsight import Estimator, Tracker
from armsight.camera.extrinsics_files import quaternion_xyzw
from armsight.data.bags.cameras import camera_of_message
from armsight.data.bags.pictures import pixels_of
from armsight.geometry import invert_transform


class ArmsightNode(Node):
    def __init__(self) -> None:
        super().__init__("armsight")
        self.estimator = Estimator.from_pretrained(self.declare_parameter("robot", "panda").value)
        self.tracker = Tracker(self.estimator)  # until a camera_info comes
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(CameraInfo, "camera_info", self.on_camera, newest)
        self.create_subscription(Image, "image", self.on_image, newest)
        self.joints = self.create_publisher(JointState, "~/joint_states", 10)
        self.transforms = TransformBroadcaster(self)
        self.camera = None

    def on_camera(self, message: CameraInfo) -> None:
        if not self.camera:
            self.camera = camera_of_message(message)
            self.tracker = Tracker(self.estimator, camera=self.camera)

    def on_image(self, message: Image) -> None:
        state = self.tracker(pixels_of(message, "image"))
        if state.confidence < 0.5:  # or not found at all
            return
        joints = JointState(name=list(state.joint_names), position=state.joint_positions.tolist())
        joints.header.stamp = message.header.stamp
        self.joints.publish(joints)
        self.transforms.sendTransform(self.camera_in_base(state, message))

    def camera_in_base(self, state, message: Image) -> TransformStamped:
        T = invert_transform(state.T_cam_base)
        found = TransformStamped(child_frame_id=message.header.frame_id)
        found.header.stamp = message.header.stamp
        found.header.frame_id = self.estimator.robot.link_names[0]
        place, turn = found.transform.translation, found.transform.rotation
        place.x, place.y, place.z = T[:3, 3].tolist()
        turn.x, turn.y, turn.z, turn.w = quaternion_xyzw(T[:3, :3]).tolist()
        return found


if __name__ == "__main__":
    rclpy.init()
    rclpy.spin(ArmsightNode())
