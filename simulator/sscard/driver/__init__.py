"""The driver of LD/T 33 (读写终端接口): the functions that hospital, pharmacy and window programs call."""

from sscard.driver.api import DriverOptions, KeyAddresses, Readers, Result, SSCardDriver
from sscard.driver.errors import ErrorTable
from sscard.driver.station import InternalAuth

__all__ = ["DriverOptions", "ErrorTable", "InternalAuth", "KeyAddresses", "Readers", "Result", "SSCardDriver"]
