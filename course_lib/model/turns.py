"""Text encoder, UNet and VAE on one GPU, one after the other."""

from pathlib import Path

from accelerate.utils import send_to_device
from diffusers import UNet2DConditionModel
from diffusers.pipelines.kolors import ChatGLMModel

from course_lib.machine.stages import Plan
from course_lib.messages import error
from course_lib.model.parts import load_encoder
from course_lib.model.text_cache import collect


class Turns:
    """Lets the parts of a model have a GPU one after the other: the UNet leaves for the others as the plan says.

    A UNet whose layers come one by one is never there as a whole, so it is left where it is.
    """

    def __init__(self, unet: UNet2DConditionModel, folder: Path, plan: Plan) -> None:
        self.unet, self.folder, self.plan, self.encoder = unet, folder, plan, None
        self.moves = plan.unet != "stream"
        unet.register_forward_pre_hook(self.bring_unet, with_kwargs=True)
        unet.register_forward_hook(self.answer)

    def bring_encoder(self) -> ChatGLMModel:
        """Return the text encoder, loaded anew where the UNet was at work; LessonError if the plan leaves it out."""
        if self.plan.encoder == "cached":
            raise error("encoder_gone")
        if self.encoder is None:
            self.send_unet_away()
            self.encoder = load_encoder(self.folder, self.plan)
        return self.encoder

    def release(self) -> None:
        """Give the text encoder's memory back."""
        if self.encoder is not None:
            self.encoder = None
            collect()

    def send_unet_away(self) -> None:
        """Let the UNet wait in RAM, so that its memory is free for whoever works next."""
        if self.moves and self.unet.device.type != "cpu":
            self.unet.to("cpu")
        collect()

    def make_room(self) -> None:
        """Leave the GPU to the VAE."""
        self.release()
        self.send_unet_away()

    def bring_unet(self, unet: UNet2DConditionModel, arguments: tuple, options: dict) -> tuple[tuple, dict]:
        """Bring the UNet and what it is called with to the GPU."""
        self.release()
        if self.moves and unet.device.type != self.plan.device:
            unet.to(self.plan.device)
        self.asked_from = (arguments[0] if arguments else options["sample"]).device
        return send_to_device((arguments, options), unet.device)

    def answer(self, unet: UNet2DConditionModel, arguments: tuple, result: object) -> object:
        """Hand the UNet's answer back where its question came from."""
        return send_to_device(result, self.asked_from)
