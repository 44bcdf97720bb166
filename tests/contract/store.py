"""What every store must do, whatever it is made of: each backend runs these cases.

A subclass has the fixtures `store`, an empty one, and `gate`, which stands before its disk.
"""

from tests.contract.outbox import Outbox
from tests.contract.store_atomic import Atomic
from tests.contract.store_barriers import Barriers
from tests.contract.store_durable import Durable
from tests.contract.store_endings import Endings
from tests.contract.store_rows import Rows


class StoreContract(Atomic, Rows, Endings, Barriers, Durable, Outbox):
    pass
