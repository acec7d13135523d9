import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner
from cryptography import x509

from homeostat.settings.kinds import GIBIBYTE, Address
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.data_folder import DataFolder
from homeostat_server.runtime.resources import Resources
from homeostat_server.runtime.settings import Settings
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.server.cli import key
from homeostat_server.server.doctor import (
    Verdict,
    check_access,
    check_address,
    check_clock,
    check_data_folder,
    check_disk,
    check_engine,
    check_memory,
    check_tls,
    examine,
)

RESOURCES = Resources(memory_bytes=4 * GIBIBYTE, memory_origin="host", cpus=2, cpus_origin="affinity")
FREE = Address("127.0.0.1", 0)


def test_a_healthy_machine_has_no_problem(tmp_path: Path) -> None:
    """All checks together find nothing that would stop the start."""
    findings = examine(Settings(data=tmp_path, http=FREE, grpc=FREE), resources=RESOURCES)
    assert [finding.subject for finding in findings if finding.stops_start] == []
    assert len(findings) == 9


def test_a_data_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Looking changes nothing."""
    finding = check_data_folder(Settings(data=tmp_path / "a" / "b"))
    assert (finding.verdict, list(tmp_path.iterdir())) == (Verdict.OK, [])


def test_a_data_folder_that_another_process_owns_is_a_problem(tmp_path: Path) -> None:
    """The hint names the process."""
    owner = DataFolder.claim(tmp_path)
    finding = check_data_folder(Settings(data=tmp_path))
    owner.release()
    assert finding.stops_start
    assert "is using it" in finding.hint


def test_a_data_folder_below_a_file_is_a_problem(tmp_path: Path) -> None:
    """What cannot be made is told before the start."""
    (tmp_path / "file").write_text("")
    assert check_data_folder(Settings(data=tmp_path / "file" / "data")).stops_start


@pytest.mark.parametrize(
    ("free_bytes", "verdict"),
    [(100 * GIBIBYTE, Verdict.OK), (GIBIBYTE, Verdict.WARNING), (1_000, Verdict.PROBLEM)],
)
def test_little_disk_is_a_warning_and_none_a_problem(tmp_path: Path, free_bytes: int, verdict: Verdict) -> None:
    """Without room for one segment nothing can be acknowledged."""
    settings = Settings(data=tmp_path / "not" / "there")
    assert check_disk(settings, free_bytes=lambda _: free_bytes).verdict is verdict


@pytest.mark.parametrize(("memory_bytes", "verdict"), [(GIBIBYTE, Verdict.OK), (GIBIBYTE // 4, Verdict.WARNING)])
def test_little_memory_is_a_warning(memory_bytes: int, verdict: Verdict) -> None:
    """It starts, but somebody should know."""
    assert check_memory(replace(RESOURCES, memory_bytes=memory_bytes)).verdict is verdict


def test_a_clock_before_what_is_stored_is_a_warning(tmp_path: Path) -> None:
    """A segment from the future means that the clock went back."""
    settings = Settings(data=tmp_path)
    segment = settings.spool_folder / "logs" / f"{1:020d}.segment"
    segment.parent.mkdir(parents=True)
    segment.touch()
    assert check_clock(settings, clock=ManualClock(now_ns=segment.stat().st_mtime_ns + 1)).verdict is Verdict.OK
    assert check_clock(settings, clock=ManualClock(now_ns=segment.stat().st_mtime_ns - 1)).verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("result", "detail"),
    [
        (subprocess.CompletedProcess([], 1, "", "Traceback\nModuleNotFoundError: No module named 'chdb'\n"), "chdb"),
        (subprocess.CompletedProcess([], -4, "", ""), "killed by signal 4"),
    ],
)
def test_an_engine_that_does_not_load_is_a_problem(result: subprocess.CompletedProcess[str], detail: str) -> None:
    """A missing wheel raises, one for another CPU kills: both are told."""
    finding = check_engine(run=lambda: result)
    assert finding.stops_start
    assert detail in finding.detail


def test_an_address_in_use_is_a_problem() -> None:
    """The hint names the flag."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        finding = check_address("grpc", Address("127.0.0.1", listener.getsockname()[1]))
    assert finding.stops_start
    assert "--grpc" in finding.hint


def test_a_host_that_is_not_there_is_a_problem() -> None:
    """An address of somebody else cannot be listened on."""
    assert check_address("http", Address("192.0.2.1", 4318)).stops_start


def with_certificate(folder: Path) -> Settings:
    """Return settings with a certificate that is valid for years."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    return Settings(data=folder, tls_certificate=folder / "cert.pem", tls_key=folder / "key.pem")


def test_tls_files_that_can_be_used_are_fine_until_they_are_about_to_expire(tmp_path: Path) -> None:
    """Two weeks before its end a certificate is a warning, after it a problem."""
    settings = replace(with_certificate(tmp_path), tls_client_ca=tmp_path / "ca.pem")
    expires_at = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes()).not_valid_after_utc
    clock = ManualClock(now_ns=int(expires_at.timestamp()) * 10**9)
    verdicts = []
    for days in (-15, 2, 14):
        clock.advance(days * 86_400)
        verdicts.append(check_tls(settings, clock=clock).verdict)
    assert verdicts == [Verdict.OK, Verdict.WARNING, Verdict.PROBLEM]


def test_tls_files_that_cannot_be_used_are_a_problem(tmp_path: Path) -> None:
    """A missing file is told before the start, and no TLS is no problem."""
    missing = Settings(tls_certificate=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")
    assert check_tls(missing, clock=SystemClock()).stops_start
    assert check_tls(Settings(), clock=SystemClock()).detail == "off"


def test_beyond_loopback_a_key_is_needed(tmp_path: Path) -> None:
    """The same address is a problem without a key and fine with one; looking makes no database."""
    settings = Settings(data=tmp_path, http=Address("192.0.2.1", 0), grpc=FREE)
    assert "homeostat key create" in check_access(settings).hint
    assert [*tmp_path.iterdir()] == []
    created = CliRunner().invoke(key, ["create", "--tenant", "t", "--scope", "read", "--data", str(tmp_path)])
    assert created.exit_code == 0, created.output
    finding = check_access(settings)
    assert (finding.verdict, finding.detail) == (Verdict.OK, "reachable from other machines too; a key is needed")


def test_on_loopback_no_key_is_needed(tmp_path: Path) -> None:
    """It says that it runs open."""
    finding = check_access(Settings(data=tmp_path, http=FREE, grpc=FREE))
    assert finding.detail == "reachable from this machine only; open, no key is needed"
