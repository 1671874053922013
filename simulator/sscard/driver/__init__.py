"""The driver of LD/T 33 (读写终端接口): the functions that hospital, pharmacy and window programs call."""

from sscard.driver.api import DriverOptions, KeyAddresses, Readers, Result, SSCardDriver
from sscard.driver.errors import ErrorTable

__all__ = ["DriverOptions", "ErrorTable", "KeyAddresses", "Readers", "Result", "SSCardDriver"]
