# A line of components of Axon, Kamaelia's kernel. Prints the sum of the numbers that went through
# it, and the duration in nanoseconds.
import os
import sys
import time

from Axon.Component import component
from Axon.Ipc import newComponent
from Axon.Scheduler import scheduler

LENGTH, MESSAGES = int(sys.argv[1]), int(sys.argv[2])


class Send(component):
    def main(self):
        for number in range(MESSAGES):
            self.send(number, "outbox")
            yield 1
        self.send(None, "outbox")
        yield 1


class Pass(component):
    def main(self):
        while True:
            while self.dataReady("inbox"):
                self.send(self.recv("inbox"), "outbox")
            yield 1


class Add(component):
    def main(self):
        total = 0
        while True:
            while self.dataReady("inbox"):
                message = self.recv("inbox")
                if message is None:
                    print(total, time.perf_counter_ns() - START, flush=True)
                    os._exit(0)
                total += message
            yield 1


class Line(component):
    def main(self):
        parts = [Send()] + [Pass() for _ in range(LENGTH - 1)] + [Add()]
        for one, next_one in zip(parts, parts[1:]):
            self.link((one, "outbox"), (next_one, "inbox"))
        self.addChildren(*parts)
        yield newComponent(*parts)
        while True:
            self.pause()
            yield 1


Line().activate()
START = time.perf_counter_ns()
scheduler.run.runThreads()
