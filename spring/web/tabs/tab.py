"""What a tab is: a name, and a layout that connects its own handlers."""

from abc import ABC, abstractmethod
from typing import ClassVar

from spring.web.shared import Shared
from spring.web.tabs.form import Form


class Tab(ABC):
    """One tab of the page; `layout.TABS` lists them."""

    name: ClassVar[str]

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    @abstractmethod
    def lay_out(self, form: Form) -> None:
        """Build the tab's components and connect its events; called inside `gr.Tab`."""
