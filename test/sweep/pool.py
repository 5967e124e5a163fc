"""Runs the forms of a sweep side by side: each has a database, an emulator and a process
of its own, because most of a sweep is waiting.

A program of the sweep calls main(path, names, alone, work, jobs):

  names   forms that run at the same time
  alone   [(form, step)] that run after them one by one, because they crash the server
  work    work(form, short, step) in the process of a form; its last line says
          "... N passed, M failed ..."
  jobs    so many forms at a time unless --jobs says otherwise

PROGRAM [--short] [--form FORM] [--step STEP] [--jobs N] [--seed SEED]
"""
import argparse
import os
import queue
import re
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))


def start_emulator():
    emulator = subprocess.Popen(
        [os.path.join(HERE, "../emulator/mc-emulator"), "--loghub-port", "0", "--tablestore-port", "0",
         "--maxcompute-port", "0", "--oss-port", "0",
         "--access-key", "%s:%s" % (os.environ["MC_KEY_ID"], os.environ["MC_KEY_SECRET"])],
        stdout=subprocess.PIPE, text=True)
    ports = {}
    for line in emulator.stdout:
        if line.startswith("ready"):
            return emulator, ports
        service, address = line.split()
        ports["MC_%s_PORT" % service.upper()] = address.rsplit(":", 1)[1]
    sys.exit("sweep: the emulator does not start")


class Pool:
    def __init__(self, program, args):
        self.program = program
        self.args = args
        self.results = {}

    def run(self, name, step):
        label = "%s_%s" % (name, step) if step and step != self.args.step else name
        self.results[label] = (0, 1)
        subprocess.run(["psql", "-Xq", "-d", "postgres", "-c", "CREATE DATABASE sweep_" + label], check=True)
        emulator, env = start_emulator()
        worker = subprocess.Popen(
            [sys.executable, self.program, "--worker", name, "--seed", str(self.args.seed)] + ["--short"] * self.args.short +
            (["--step", step] if step else []),
            env=dict(os.environ, PGDATABASE="sweep_" + label, **env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        last = ""
        for last in worker.stdout:
            print(last, end="", flush=True)
        m = re.search(r"(\d+) passed, (\d+) failed", last)
        if worker.wait() == 0 and m:
            # a form that has tested nothing has failed
            self.results[label] = (int(m.group(1)), int(m.group(2)) + (m.group(1) == "0"))
        emulator.kill()
        emulator.wait()

    def side_by_side(self, names):
        todo = queue.Queue()
        for name in names:
            todo.put(name)

        def pull():
            while True:
                try:
                    name = todo.get_nowait()
                except queue.Empty:
                    return
                self.run(name, self.args.step)
        threads = [threading.Thread(target=pull) for _ in range(min(self.args.jobs, len(names)))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()


def main(path, names, alone, work, jobs=4):
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--form", help="only this one; default all")
    parser.add_argument("--step", help="only these kinds: once,forever,corrupt,...; default all")
    parser.add_argument("--jobs", type=int, default=jobs, help="forms at the same time")
    parser.add_argument("--seed", type=int, default=0, help="of what is chosen by chance")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker, args.short, args.step, args.seed)
        return
    pool = Pool(os.path.abspath(path), args)
    steps = args.step.split(",") if args.step else None
    exclusive = {step for _, step in alone}
    if not steps or set(steps) - exclusive:
        pool.side_by_side([args.form] if args.form else names)
    for name, step in alone:
        if args.form in (None, name) and (not steps or step in steps):
            pool.run(name, step)
    failed = sum(r[1] for r in pool.results.values())
    print("sweep: %d passed, %d failed" % (sum(r[0] for r in pool.results.values()), failed))
    sys.exit(1 if failed else 0)
