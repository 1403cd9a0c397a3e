"""As a cluster has them: `serve --no-worker`, and a `worker` beside it over the same database, cache and bucket. The
tests of the API that carry runs out, once more. With LAB_OTHER_RELEASE, the program of another release, the workers
are of that: N beside N+1, on one database and one queue; exchange the two, and it is N+1 beside N."""
import os
import pathlib
import unittest

import support
import test_fleet
import test_stack

setUpModule = test_stack.setUpModule


class OtherWorker(test_fleet.Worker):
    PROGRAM = pathlib.Path(os.environ.get("LAB_OTHER_RELEASE", support.BINARY)).resolve()


class BesideWorker:
    """For a class of tests on the stack: whoever serves carries out no runs."""

    def server(self, arguments=(), **given):
        server = super().server(arguments=(*arguments, "--no-worker"), **given)
        super().server(kind=OtherWorker, **given)
        return server


class FirstHour(BesideWorker, test_stack.FirstHour):
    pass


class Experiments(BesideWorker, test_stack.Experiments):
    pass


class ClientRuns(BesideWorker, test_stack.ClientRuns):
    pass


class Records(BesideWorker, test_stack.Records):
    pass


class Comparisons(BesideWorker, test_stack.Comparisons):
    pass


class Judges(BesideWorker, test_stack.Judges):
    pass


if __name__ == "__main__":
    unittest.main()
