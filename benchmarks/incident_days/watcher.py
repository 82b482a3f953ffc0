"""A process that imports everything once and forks watchers, each of which lives until it is killed.

Run as ``python -m benchmarks.incident_days.watcher HOME``, with the database in the environment.
A line ``fork`` starts a life and is answered with its process id; ``reap`` waits for the end of the one
that was started last.
"""

import gc
import os
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from sqlalchemy import event

from benchmarks.incident_days.hands import Hands
from custody.bootstrap import House
from custody.notices.channel import Message
from custody.notices.delivery import Sender
from custody.settings import Settings

DATABASE = "CUSTODY_BENCH_DATABASE"
HANDED_OVER, STRIKES = "handed-over", "strikes"
_IDLE = 0.001  # seconds between two looks at the clock


class Acts:
    """Counts what a look does, and kills the process before the act that was chosen."""

    def __init__(self, hands: Hands, strikes: Path) -> None:
        self._hands = hands
        self._strikes = os.open(strikes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._passed: Counter[str] = Counter()

    def begin(self) -> None:
        """Begin to count anew."""
        self._passed.clear()

    def come_to(self, act: str) -> None:
        """Come to an act."""
        self._passed[act] += 1
        if self._hands.strike == (act, self._passed[act]):
            self._hands.strike = (act, 0)
            os.write(self._strikes, f"{act}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


class Recorder:
    """A mail server as far as a hand-over goes: what it takes is a line of a file, for good."""

    name = "mail"

    def __init__(self, file: Path, hands: Hands, acts: Acts) -> None:
        self._stream = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._hands = hands
        self._acts = acts

    def send(self, message: Message) -> None:
        """Take a message."""
        self._acts.come_to("a hand-over")
        os.write(self._stream, f"{message.message_id} {self._hands.now.isoformat()}\n".encode())
        self._acts.come_to("writing down a hand-over")


class Watch:
    """One look after the other at a simulated clock; it is made, and warm, before any life is forked."""

    def __init__(self, home: Path, database_url: str) -> None:
        self._hands = Hands(home / "hands")
        self._acts = Acts(self._hands, home / STRIKES)
        self._house = House(Settings(home=home, database_url=database_url), clock=lambda: self._hands.now)
        channels = (Recorder(home / HANDED_OVER, self._hands, self._acts),)
        house, engine = self._house, self._house.engine
        self._sender = Sender(engine, house.settings, house.secrets.read, house.clock, channels=channels)
        event.listen(engine, "before_cursor_execute", lambda *_: self._acts.come_to("a statement"))
        event.listen(engine, "commit", lambda *_: self._acts.come_to("a commit"))

    def warm_up(self) -> None:
        """Look once, so that a life need not compile every statement anew; connections are not inherited."""
        self._look()
        self._house.engine.dispose()

    def live(self) -> None:
        """Watch until killed."""
        try:
            while True:
                if self._hands.is_done:
                    time.sleep(_IDLE)
                else:
                    self._look()
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    def _look(self) -> None:
        now = self._hands.now
        self._acts.begin()
        self._house.incident_watch.look(now)
        self._sender.send_owed()
        self._hands.say_done(now)


def main() -> None:
    """Answer until there is nothing more to do."""
    watch = Watch(Path(sys.argv[1]), os.environ[DATABASE])
    watch.warm_up()
    gc.freeze()  # the children's collectors leave alone what they share
    child = 0
    for line in sys.stdin:
        if line.strip() == "reap":
            os.waitpid(child, 0)
        else:
            child = os.fork()
            if child == 0:
                watch.live()
        print(child, flush=True)


if __name__ == "__main__":
    main()
