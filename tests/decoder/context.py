"""Section 3.7: what the patches of a chain have in common."""

from arrangement import StepModels
from discovery import find_structure
from entropy import Characters
from prediction import ElementModels
from rows import ColumnModels, RowModels
from text import TextModels


class Context:
    """The structure of the next patch's baseline, and all that was learnt on the way there."""

    def __init__(self, baseline):
        self.structure = find_structure(baseline)
        characters = Characters()
        self.steps = StepModels(characters)
        self.elements = ElementModels()
        self.texts = TextModels(characters)
        self.columns = ColumnModels()
        self.rows = [RowModels() for _ in self.structure.types]
