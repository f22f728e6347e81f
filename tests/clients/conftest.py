"""Fixtures: brokers in directories of their own below target/test-data, and one Java driver for the run."""

import contextlib
import os
import random
import re
import shutil

import pytest

from harness import clients, network
from harness.broker import Broker
from harness.cluster import IDS, Cluster
from harness.java import JavaDriver

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEST_DATA = os.path.join(ROOT, "target", "test-data")
CRASH_ROUNDS, SOAK_CRASH_ROUNDS = 20, 300
SHORT_SOAK_ROUNDS, SOAK_ROUNDS = 3, 300
SHORT_SOAK_SEED = 7
HAS_FAILED = pytest.StashKey()
KEPT_DIRECTORIES = []


def pytest_addoption(parser):
    parser.addoption("--broker", default=os.path.join(ROOT, "target/release/corelane"), help="broker binary")
    parser.addoption("--loadgen", default=os.path.join(ROOT, "target/release/loadgen"), help="loadgen binary")
    parser.addoption("--tools", default=os.path.join(ROOT, "target/test-tools"), help="what tests/tools/fetch made")
    parser.addoption("--soak", action="store_true", help="longer runs")
    parser.addoption("--crash-rounds", type=int, help=f"kill -9 rounds ({CRASH_ROUNDS}, or {SOAK_CRASH_ROUNDS})")
    parser.addoption("--soak-rounds", type=int, help=f"rounds of test_soak.py ({SHORT_SOAK_ROUNDS}, or {SOAK_ROUNDS})")
    parser.addoption("--soak-seed", type=int, help="seed of test_soak.py; with --soak any, which is told")


def pytest_configure(config):
    tools = [os.path.join(config.getoption("--tools"), part) for part in ("driver", "franz-go", "node")]
    for path in (config.getoption("--broker"), config.getoption("--loadgen"), *tools):
        if not os.path.exists(path):
            raise pytest.UsageError(f"{path} is missing: tests/run builds it")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """After a failure: keeps the directories of the test and of its module, and shows the brokers' logs."""
    report = (yield).get_result()
    if not report.failed:
        return
    item.stash[HAS_FAILED] = True
    item.parent.stash[HAS_FAILED] = True
    for value in getattr(item, "funcargs", {}).values():
        brokers = value.started if isinstance(value, (Launcher, Cluster)) else [value] if isinstance(value, Broker) else []
        for broker in brokers:
            report.sections.append((f"log of {broker.directory}", broker.log()))


def pytest_terminal_summary(terminalreporter):
    for path in KEPT_DIRECTORIES:
        terminalreporter.write_line(f"kept for inspection: {path}")


@pytest.fixture(scope="session")
def binary(pytestconfig):
    return os.path.abspath(pytestconfig.getoption("--broker"))


@pytest.fixture(scope="session")
def loadgen_binary(pytestconfig):
    return os.path.abspath(pytestconfig.getoption("--loadgen"))


@pytest.fixture(scope="session")
def tools_dir(pytestconfig):
    return os.path.abspath(pytestconfig.getoption("--tools"))


@pytest.fixture(scope="session")
def crash_rounds(pytestconfig):
    default = SOAK_CRASH_ROUNDS if pytestconfig.getoption("--soak") else CRASH_ROUNDS
    return pytestconfig.getoption("--crash-rounds") or default


@pytest.fixture(scope="session")
def soak_rounds(pytestconfig):
    default = SOAK_ROUNDS if pytestconfig.getoption("--soak") else SHORT_SOAK_ROUNDS
    return pytestconfig.getoption("--soak-rounds") or default


@pytest.fixture(scope="session")
def soak_seed(pytestconfig):
    given = pytestconfig.getoption("--soak-seed")
    if given is not None:
        return given
    return random.randrange(1 << 32) if pytestconfig.getoption("--soak") else SHORT_SOAK_SEED


@pytest.fixture
def directory(request):
    """A fresh directory for one test; kept, and named, when the test fails."""
    with fresh_directory(request.node) as path:
        yield path


@pytest.fixture(scope="module")
def broker(request, binary):
    """One broker for all tests of a module that need nothing of their own; topics keep them apart."""
    with fresh_directory(request.node) as path:
        broker = Broker(binary, path)
        with failure_noted(request.node), ending(broker):
            yield broker.start()
            broker.check_alive()
            assert broker.terminate() == 0, broker.log()


@pytest.fixture
def launch(request, binary, directory):
    """Starts brokers that belong to one test: launch(shards=..., settings=[...], ...)."""
    launcher = Launcher(binary, directory)
    with failure_noted(request.node), contextlib.ExitStack() as stack:
        stack.callback(launcher.kill_all)
        yield launcher
        for broker in launcher.started:
            if broker.is_running():
                broker.check_alive()


@pytest.fixture
def cluster(request, binary, directory):
    """Three brokers that are one cluster, with a network of their own where the machine allows that."""
    with network.opened(IDS) as between:
        cluster = Cluster(binary, directory, between)
        with failure_noted(request.node), contextlib.ExitStack() as stack:
            stack.callback(cluster.kill_all)
            yield cluster
            for broker in cluster.started:
                if broker.is_running():
                    broker.check_alive()


class Launcher:
    """Starts brokers in numbered directories and remembers them."""

    def __init__(self, binary, directory):
        self.binary = binary
        self.directory = directory
        self.started = []

    def __call__(self, **options):
        return self.prepare(**options).start()

    def prepare(self, **options):
        """A broker that is not started yet."""
        broker = Broker(self.binary, os.path.join(self.directory, f"broker-{len(self.started)}"), **options)
        self.started.append(broker)
        return broker

    def kill_all(self):
        for broker in self.started:
            broker.kill9()


@pytest.fixture(scope="session")
def java(tools_dir):
    os.makedirs(TEST_DATA, exist_ok=True)
    driver = JavaDriver(tools_dir, os.path.join(TEST_DATA, "java-driver.log"))
    yield driver
    driver.close()


@pytest.fixture(scope="module", params=clients.NAMES)
def name(request):
    """Each of the clients that are driven through a pipe, in turn."""
    return request.param


@pytest.fixture(scope="module")
def client(name, tools_dir):
    with clients.opened(name, tools_dir, TEST_DATA) as client:
        yield client


@pytest.fixture
def tool(broker, java):
    """Runs one of Kafka's tools against the module's broker and returns what it printed."""
    return lambda name, *arguments: java.tool(name, "--bootstrap-server", broker.bootstrap, *arguments)


@contextlib.contextmanager
def fresh_directory(node):
    path = os.path.join(TEST_DATA, re.sub(r"[^A-Za-z0-9_.=-]+", "-", node.nodeid.split("/")[-1]))
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    try:
        yield path
    finally:
        if node.stash.get(HAS_FAILED, False):
            KEPT_DIRECTORIES.append(path)
        else:
            shutil.rmtree(path)


@contextlib.contextmanager
def failure_noted(node):
    """Marks the node as failed if the block raises: a fixture's own failure is reported too late for that."""
    try:
        yield
    except BaseException:
        node.stash[HAS_FAILED] = True
        raise


@contextlib.contextmanager
def ending(broker):
    try:
        yield
    finally:
        broker.kill9()
