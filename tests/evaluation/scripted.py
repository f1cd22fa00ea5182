"""Workers with scripted results and failures."""

import os


class Scripted:
    """Answers with the case's name; dies, prints or talks too much where the case says so."""

    def __init__(self, plan):
        self.plan = plan

    def __call__(self, case):
        if case.get("dies"):
            os._exit(3)
        print("models print")
        os.write(1, b"and so do libraries\n")
        return {"case": case["name"], "plan": self.plan, "pid": os.getpid(),
                "threads": os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"]}  # fmt: skip

    def stop(self):
        pass
