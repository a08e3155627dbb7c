"""Where the built programs are: $UPLIFT_BUILD, or the directory the test was started in, or
var/build, where ./dev builds. And the chat page as it is served: what is in nginx/html, and the libraries that were
bundled for it."""

import os
import shutil

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def built(name, mode=os.R_OK):
    """The path of something that was built."""
    places = [os.environ.get("UPLIFT_BUILD"), os.getcwd(), TOP + "/var/build", TOP]
    for place in places:
        if place and os.access(place + "/" + name, mode):
            return os.path.abspath(place + "/" + name)
    raise SystemExit("Bail out! cannot find %s: build it, or set UPLIFT_BUILD" % name)


def program(name):
    return built(name, os.X_OK)


def copy_page(directory):
    """Makes directory, with the page in it."""
    shutil.copytree(TOP + "/nginx/html", directory, ignore=shutil.ignore_patterns("vendor"))
    shutil.copytree(os.path.dirname(built("nginx/html/lib/vendor/markdown-it.js")), directory + "/lib/vendor")
