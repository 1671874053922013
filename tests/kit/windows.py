"""`sscard` as on Windows: `python windows.py ARGUMENTS` hides from sscard.* what a Python for Windows lacks.

Other packages keep it, because the Python here is one for Unix. `HIDDEN` names
what the Python documentation marks "Availability: Unix", or not Windows.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from types import ModuleType
from typing import Any

ABSENT = {"fcntl", "termios", "tty", "pty", "pwd", "grp", "resource", "syslog", "readline", "curses", "posix"}
HIDDEN = {
    "signal": "SIGUSR1 SIGUSR2 SIGHUP SIGKILL SIGCHLD SIGPIPE SIGALRM SIGQUIT SIGTSTP SIGCONT SIG_BLOCK SIG_UNBLOCK "
    "SIG_SETMASK pthread_sigmask pthread_kill sigwait sigwaitinfo sigtimedwait sigpending alarm setitimer pause "
    "siginterrupt pidfd_send_signal",
    "socket": "AF_UNIX socketpair send_fds recv_fds MSG_DONTWAIT SO_REUSEPORT SO_PEERCRED AF_NETLINK",
    "socketserver": "UnixStreamServer UnixDatagramServer ThreadingUnixStreamServer ThreadingUnixDatagramServer "
    "ForkingMixIn ForkingTCPServer ForkingUDPServer",
    "select": "poll epoll kqueue",
    "os": "fork forkpty getuid geteuid getgid getegid setsid setpgid getpgid killpg pidfd_open pread pwrite preadv "
    "pwritev chown lchown fchmod fchown fdatasync lockf mkfifo mknod nice uname sync statvfs openpty sysconf "
    "sched_getaffinity O_NOCTTY O_DIRECTORY O_NOFOLLOW O_SYNC O_DSYNC O_CLOEXEC O_NONBLOCK WIFEXITED waitid wait",
}
real_import = builtins.__import__


def _without(module: ModuleType) -> ModuleType:
    hidden = HIDDEN[module.__name__].split()
    copy = ModuleType(module.__name__)
    copy.__dict__.update({name: value for name, value in vars(module).items() if name not in hidden})
    return copy


COPIES = {name: _without(importlib.import_module(name)) for name in HIDDEN}


def _import(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> ModuleType:
    by = (globals or {}).get("__name__", "")
    if level == 0 and (by == "sscard" or by.startswith("sscard.")):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name in COPIES:
            return COPIES[name]
    return real_import(name, globals, locals, fromlist, level)


builtins.__import__ = _import

if __name__ == "__main__":
    if sys.argv[1:2] == ["-c"]:
        exec(sys.argv[2], {"__name__": "sscard.probe"})  # noqa: S102 - the test's own words
    else:
        from sscard.cli.main import main

        main()
