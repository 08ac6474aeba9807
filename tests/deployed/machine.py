"""The machine on which the deployed test runs: MiniStack, the simulated Slack and Okta, and SAM."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import requests
from botocore.exceptions import ClientError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# What `sam build` left behind; STINT_BUILT may name another folder of that shape.
BUILT = Path(os.environ.get("STINT_BUILT", ROOT / ".aws-sam" / "build"))
SERVICES = ROOT / "target" / "debug" / "services"
SAM = ROOT / "target" / "tools" / "python" / "bin" / "sam"

REGION = "us-east-1"
# MiniStack takes an access key of twelve digits for an administrator of that account.
ACCOUNT = "111111111111"
OTHER_ACCOUNT = "222222222222"


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(
    what: str,
    probe: Callable[[], Any],
    seconds: float = 30,
    explain: Callable[[], str] = lambda: "",
) -> Any:
    """What `probe` gives as soon as that is truthy; fails with what `explain` says after a while."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}\n{explain()}")
        time.sleep(0.25)


@contextlib.contextmanager
def refused(code: str = "AccessDenied") -> Iterator[None]:
    """What AWS must refuse, with an error whose code begins like this."""
    try:
        yield
    except ClientError as error:
        assert error.response["Error"]["Code"].startswith(code), error
    else:
        raise AssertionError("this was allowed")


class Process:
    """A process with an environment of its own, whose output goes to a file."""

    def __init__(self, command: Sequence[object], environment: dict[str, str], log: Path) -> None:
        self.log, self.command = log, [str(part) for part in command]
        with log.open("w") as output:
            self.process = subprocess.Popen(
                self.command,
                env=environment,
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self, characters: int = 4000) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-characters:]

    def wait_for(self, url: str) -> None:
        """Waits until `url` is answered."""

        def answered() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"`{' '.join(self.command)}` ended:\n{self.output()}")
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(url, timeout=5).ok
            return False

        wait_until(f"{url} answers", answered, 60, self.output)

    def stop(self) -> None:
        """Ends it and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Machine:
    """A MiniStack that enforces IAM, with the corrections of `launcher.py`; a context manager.

    The functions inherit its environment, so it is started with what they need and nothing else.
    """

    def __init__(self, without: Sequence[str] = (), **variables: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stint-deployed-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "AUTH": "true",
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "IOT_MTLS_PORT": str(free_port()),
            "SFTP_PORT": str(free_port()),
            **variables,
        }
        left_out = [part for name in without for part in ("--without", name)]
        command = [sys.executable, HERE / "launcher.py", *left_out]
        self.process = Process(command, environment, self.folder / "ministack.log")
        try:
            self.process.wait_for(f"{self.url}/_ministack/health")
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it, its functions too, and removes its files."""
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, service: str, account: str = ACCOUNT, **credentials: str) -> Any:
        """A client for an administrator of `account`, or for whoever has `credentials`."""
        administrator = {"aws_access_key_id": account, "aws_secret_access_key": "test"}
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            config=botocore.config.Config(
                retries={"total_max_attempts": 1}, read_timeout=300, parameter_validation=True
            ),
            **(credentials or administrator),
        )

    def credentials_of(self, function: str) -> dict[str, str]:
        """The credentials that a warm function works with, read from its process."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                pairs = (process / "environ").read_bytes().decode(errors="replace").split("\0")
                variables = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
                if (
                    variables.get("AWS_LAMBDA_FUNCTION_NAME") == function
                    and variables.get("AWS_ENDPOINT_URL") == self.url
                ):
                    return {
                        "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
                        "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
                        "aws_session_token": variables["AWS_SESSION_TOKEN"],
                    }
        raise AssertionError(f"no process of `{function}` is running: invoke it first")

    def sam_deploy(
        self, template: Path, stack: str, parameters: dict[str, str], account: str = ACCOUNT
    ) -> None:
        """`sam deploy`, as somebody who administers `account`."""
        command = [SAM, "deploy", "--template-file", template, "--stack-name", stack]
        command += ["--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset"]
        command += ["--capabilities", "CAPABILITY_IAM", "--region", REGION]
        if parameters:
            command += ["--parameter-overrides", *(f"{k}={v}" for k, v in parameters.items())]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": str(self.folder / "sam"),
        }
        done = subprocess.run(
            [str(part) for part in command],
            env=environment,
            cwd=template.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (
            f"`sam deploy` of {stack} failed:\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
            f"\nMiniStack:\n{self.process.output()}"
        )


class Outside:
    """The simulated Slack and Okta, for functions that run elsewhere; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [SERVICES, "--port", self.port, "--data", folder / "data"]
        # Nobody listens there: the stack's address is told by `move_ingress`.
        command += ["--ingress", "http://127.0.0.1:9/slack/events"]
        self.process = Process(command, {"PATH": os.environ["PATH"]}, folder / "services.log")
        try:
            self.process.wait_for(f"{self.url}/sandbox/state")
        except BaseException:
            self.process.stop()
            raise

    def __enter__(self) -> Outside:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()

    def variables(self) -> dict[str, str]:
        """What the functions need in order to find them."""
        return {
            "STINT_SLACK_URL": f"{self.url}/slack/api/",
            "STINT_OKTA_URL": f"{self.url}/okta",
        }

    def state(self) -> dict[str, Any]:
        """Everything that can be seen in Slack and Okta."""
        return dict(requests.get(f"{self.url}/sandbox/state", timeout=30).json())

    def post(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Acts through the JSON surface."""
        answer = requests.post(f"{self.url}/sandbox/{what}", json=body, timeout=120)
        assert answer.ok, f"POST /sandbox/{what} {body}: {answer.status_code} {answer.text}"
        return dict(answer.json())

    def move_ingress(self, url: str) -> None:
        """Where Slack sends what people do from now on."""
        self.post("ingress", {"url": url})


@contextlib.contextmanager
def everything() -> Iterator[tuple[Machine, Outside]]:
    """MiniStack and the simulated services, for as long as they are needed."""
    needed = {BUILT / "template.yaml": "sam build", SERVICES: "cargo build -p local --bins"}
    for path, command in needed.items():
        assert path.exists(), f"there is no {path}: run `{command}` first"
    # Whoever ends the tests ends what they started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="stint-outside-"))
    try:
        with Outside(folder) as outside, Machine(**outside.variables()) as machine:
            yield machine, outside
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_of_the_build(folder: Path, flows: dict[str, Path]) -> Path:
    """A copy of what `sam build` made, as a checkout with other flows would have it; its template.

    The template and the functions are untouched. `flows` says which folder is at which place in
    infra/flows ('' for infra/flows itself); the policy is the one that is shipped.
    """
    build = folder / ".aws-sam" / "build"
    shutil.rmtree(build, ignore_errors=True)
    shutil.copytree(BUILT, build)
    infra = folder / "infra"
    shutil.rmtree(infra, ignore_errors=True)
    infra.mkdir(parents=True)
    for template in (ROOT / "infra").glob("*.yaml"):
        shutil.copy(template, infra)
    for place, source in flows.items():
        target = infra / "flows" / place
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / "flows.toml", target)
        shutil.copy(ROOT / "infra" / "flows" / "policy.cedar", target)
    return build / "template.yaml"
