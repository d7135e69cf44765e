from .model import alignment as alignment
from .model import attention as attention
from .model import masks as masks
from .model import positions as positions
from .search_tree import beam_tree as beam_tree
from .training import learning_curve as learning_curve
from .training import schedule as schedule
