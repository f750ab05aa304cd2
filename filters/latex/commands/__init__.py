"""The commands that the expander carries out, each file one family of them; ``PRIMITIVES`` is the table of all.

The expander knows none of them: it is handed the table. A family knows the expander, and the families it builds on.
"""

from filters.latex.commands.choices import CHOICES
from filters.latex.commands.conditionals import TEX_CONDITIONALS
from filters.latex.commands.definitions import DEFINITIONS
from filters.latex.commands.delimiters import DELIMITERS
from filters.latex.commands.environments import ENVIRONMENT_COMMANDS
from filters.latex.commands.hooks import HOOKS
from filters.latex.commands.inputs import INPUTS
from filters.latex.commands.kernel import KERNEL_COMMANDS
from filters.latex.commands.names import NAMES
from filters.latex.commands.registers import REGISTERS
from filters.latex.commands.spacing import SPACING

PRIMITIVES = (
    SPACING
    | DEFINITIONS
    | DELIMITERS
    | ENVIRONMENT_COMMANDS
    | TEX_CONDITIONALS
    | CHOICES
    | REGISTERS
    | HOOKS
    | INPUTS
    | NAMES
    | KERNEL_COMMANDS
)

__all__ = ["PRIMITIVES"]
