"""What can go wrong with a store, by who has to act.

StorageError
├── StoreRefused       the configuration is wrong: a person has to change something; nothing was written or deleted
├── StoreUnavailable   an outage or a fault of the device: it may pass by itself
├── ObjectMissing      there is no such key
├── ObjectDamaged      the store itself noticed that the bytes are not those that were stored
└── SealBroken         a sealed document is not what was written
"""


class StorageError(Exception):
    """Root of all errors of this package."""


class StoreRefused(StorageError):
    """The store cannot be used as it is configured."""


class StoreUnavailable(StorageError):
    """The store does not work at the moment."""


class ObjectMissing(StorageError):
    """There is no object of that key."""


class ObjectDamaged(StorageError):
    """The bytes do not fit the checksum that the store keeps beside them."""


class SealBroken(StorageError):
    """The document is not sealed, or was changed after it was sealed."""
