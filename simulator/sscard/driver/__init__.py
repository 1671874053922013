"""The driver of LD/T 33 (读写终端接口): the functions that hospital, pharmacy and window programs call."""

from sscard.driver.api import DriverOptions, KeyAddresses, Readers, Result, SSCardDriver

__all__ = ["DriverOptions", "KeyAddresses", "Readers", "Result", "SSCardDriver"]
