"""What generation and attribution need of the engine that they run on."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from spring.generation.kv_cache import PrefixCache
from spring.generation.step_pool import StepPool
from spring.models.backbone import Backbone
from spring.models.virtual_tokens import VirtualTokens

P = ParamSpec("P")
T = TypeVar("T")


class ModelHost(Protocol):
    """A loaded model with its virtual tokens and its cache of passages."""

    @property
    def backbone(self) -> Backbone:
        """The frozen model."""

    @property
    def tokens(self) -> VirtualTokens:
        """The virtual tokens."""

    @property
    def prefixes(self) -> PrefixCache:
        """Passages that were read; for steps on the worker alone."""

    @property
    def steps(self) -> StepPool | None:
        """Static decode steps; None: every step is eager."""

    def on_worker(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a step on the model in inference mode and wait for it.

        Raises:
            ModelError: there is not enough memory for it.

        """
