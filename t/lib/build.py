"""Where the built programs are: $UPLIFT_BUILD, or the directory the test was started in, or
var/build, where ./dev builds."""

import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def program(name):
    places = [os.environ.get("UPLIFT_BUILD"), os.getcwd(), TOP + "/var/build", TOP]
    for place in places:
        if place and os.access(place + "/" + name, os.X_OK):
            return os.path.abspath(place + "/" + name)
    raise SystemExit("Bail out! cannot find %s: build it, or set UPLIFT_BUILD" % name)
