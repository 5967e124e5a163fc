"""An emulator of its own, with its state in a directory, that can be stopped and started
again on the same port."""
import json
import os
import subprocess
import tempfile
import urllib.request

from mctest import KEY, OPENER

EMULATOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "emulator", "mc-emulator")


class Service:
    """service: loghub, tablestore, maxcompute or oss"""

    def __init__(self, service):
        self.service = service
        self.dir = tempfile.mkdtemp(dir=os.environ["MC_DIR"])
        self.port = 0
        self.start()

    def start(self):
        self.proc = subprocess.Popen([EMULATOR, "--listen", "127.0.0.1", "--%s-port" % self.service, str(self.port), "--data", self.dir,
                                      "--access-key", "%s:%s" % KEY], stdout=subprocess.PIPE, text=True)
        for line in self.proc.stdout:
            if line.startswith(self.service):
                self.port = int(line.rsplit(":", 1)[1])
            if line.startswith("ready"):
                return
        raise RuntimeError("the emulator did not start")

    def stop(self):
        self.proc.terminate()
        self.proc.wait()

    def post(self, what, payload):
        request = urllib.request.Request("http://127.0.0.1:%d/__mc/%s" % (self.port, what), data=json.dumps(payload).encode())
        with OPENER.open(request) as f:
            return json.loads(f.read() or "{}")

    def get(self, what):
        with OPENER.open("http://127.0.0.1:%d/__mc/%s" % (self.port, what)) as f:
            return json.loads(f.read())

    def op(self, op, **arguments):
        return self.post("command", dict(arguments, service=self.service, op=op))
