"""What runs Sluice on several machines: each file is what its reader takes it for, and holds no secret."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "deployments"
KINDS = {".yaml", ".json", ".service", ".example", "", ".dockerignore"}
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix in KINDS and path.is_file())
POOLS = {"docker": "docker-pool.json", "kubernetes": "kubernetes-pool.json"}


def compose() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))


def template(kind: str) -> dict[str, Any]:
    return json.loads((FOLDER / POOLS[kind]).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_holds_a_secret_or_a_place_to_install_from(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(
        r"(?i)(password|secret|token|auth_string)[\"']?[ \t]*[:=][ \t]*[\"']?[A-Za-z0-9+/]{6,}", text
    )
    assert not re.search(r"://[^/\s@]+:[^/\s@]+@", text)
    assert not re.search(r"index-url|find-links", text)


def test_compose_waits_for_what_it_needs_and_names_what_it_uses() -> None:
    told = compose()
    services = cast(dict[str, dict[str, Any]], told["services"])
    assert set(services) == {"database", "redis", "migrate", "api", "services", "worker"}
    for name, service in services.items():
        for other, wanted in service.get("depends_on", {}).items():
            condition = wanted["condition"]
            assert condition != "service_healthy" or "healthcheck" in services[other], (name, other)
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in told["volumes"], (name, volume)
        # Two machines of one name are one machine to a lease.
        assert "hostname" not in service
    assert services["api"]["ports"] == ["127.0.0.1:${SLUICE_PORT:-4200}:4200"]


def test_every_setting_of_the_server_is_one_that_prefect_knows() -> None:
    """A misspelt variable is ignored in silence, and Redis then looked for on localhost."""
    from prefect.settings import Settings
    from prefect.settings.legacy import (
        _get_settings_fields,  # pyright: ignore[reportPrivateUsage]  # there is no public list
    )
    from prefect_redis.cleanup_queue import RedisWorkerCleanupQueueSettings
    from prefect_redis.client import RedisMessagingSettings

    known = set(_get_settings_fields(Settings))
    for settings in (RedisMessagingSettings, RedisWorkerCleanupQueueSettings):
        prefix = str(settings.model_config.get("env_prefix", "")).upper()
        known |= {f"{prefix}{name.upper()}" for name in settings.model_fields}
    text = "".join(
        (FOLDER / name).read_text(encoding="utf-8") for name in ("compose.yaml", "team.env.example")
    )
    named = set(re.findall(r"^\s*(PREFECT_[A-Z_]+)\s*[:=]", text, re.MULTILINE))
    assert len(named) > 12
    assert named <= known, named - known


def test_docker_itself_takes_the_compose_file(tmp_path: Path) -> None:
    command = ["docker", "compose"]
    if (
        not shutil.which("docker")
        or subprocess.run([*command, "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("docker compose is not installed: the file was not read by Docker itself")
    shutil.copy(FOLDER / "compose.yaml", tmp_path)
    shutil.copy(FOLDER / "team.env.example", tmp_path / "team.env")
    subprocess.run([*command, "-f", "compose.yaml", "config", "--quiet"], cwd=tmp_path, check=True)


def test_kubernetes_objects_have_no_field_that_it_does_not_know() -> None:
    """Read by Kubernetes' own models and written again, each object is the same: what they do not know would be missing."""
    text = (FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")
    objects = [item for item in yaml.safe_load_all(text) if item]
    assert [item["kind"] for item in objects] == [
        "Namespace", "ServiceAccount", "Role", "RoleBinding", "PersistentVolumeClaim", "Deployment",
    ]  # fmt: skip
    for item in objects:
        assert as_kubernetes_reads(item) == item


def as_kubernetes_reads(item: dict[str, Any]) -> Any:
    from kubernetes import client  # pyright: ignore[reportMissingTypeStubs]

    models: Any = client
    version = str(item["apiVersion"]).rpartition("/")[2].capitalize()
    api = models.ApiClient()
    return api.sanitize_for_serialization(
        api.deserialize(json.dumps(item), f"{version}{item['kind']}", "application/json")
    )


def test_a_kubernetes_job_is_one_that_kubernetes_knows() -> None:
    found = template("kubernetes")
    values = {name: about.get("default") for name, about in found["variables"]["properties"].items()}
    values |= {
        "name": "run",
        "command": ["prefect", "flow-run", "execute"],
        "env": [{"name": "A", "value": "1"}],
    }
    values |= {"labels": {"a": "b"}}
    job = filled(found["job_configuration"]["job_manifest"], values)
    pod = job["spec"]["template"]["spec"]
    # Prefect's worker refuses a job without these two here; Kubernetes knows them one level up, and drops them.
    assert (pod.pop("parallelism"), pod.pop("completions"), pod["restartPolicy"]) == (1, 1, "Never")
    assert as_kubernetes_reads(job) == job
    (container,) = pod["containers"]
    assert container["name"] == "prefect-job"
    assert container["envFrom"] == [{"secretRef": {"name": "sluice"}}]


def filled(value: Any, values: dict[str, Any]) -> Any:
    """Fill in what stands in double braces, as Prefect does: a whole value by the variable's own."""
    if isinstance(value, dict):
        return {key: filled(item, values) for key, item in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [filled(item, values) for item in cast(list[Any], value)]
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\{\{ (\w+) \}\}", value)
    return (
        values[whole[1]] if whole else re.sub(r"\{\{ (\w+) \}\}", lambda found: str(values[found[1]]), value)
    )


@pytest.mark.parametrize("kind", POOLS)
def test_a_template_uses_each_variable_that_its_form_shows(kind: str) -> None:
    found = template(kind)
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(found["job_configuration"])))
    assert used == set(found["variables"]["properties"])


@pytest.mark.parametrize("kind", POOLS)
def test_a_template_changes_only_what_prefect_itself_has(kind: str) -> None:
    """Prefect's own worker reads the same keys of the job configuration: one that it does not know does nothing."""
    import prefect

    views = Path(prefect.__file__).parent / "server" / "api" / "collections_data" / "views"
    known = json.loads((views / "aggregate-worker-metadata.json").read_text(encoding="utf-8"))
    own = known[f"prefect-{kind}"][kind]["default_base_job_configuration"]
    assert set(template(kind)["job_configuration"]) <= set(own["job_configuration"])


@pytest.mark.slow
@pytest.mark.xdist_group("prefect")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", POOLS)
def test_a_work_pool_takes_it_and_a_deployment_goes_there(prefect_server: str, kind: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.types.entrypoint import EntrypointType

    from prefect_sluice.flows.release import release

    pool = f"{kind}-{uuid4().hex[:6]}"
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type=kind, base_job_template=template(kind)))
        deployment: Any = release.to_deployment(
            pool,
            entrypoint_type=EntrypointType.MODULE_PATH,
            work_pool_name=pool,
            job_variables={"image": "registry.example.com/sluice:1"},
        )
        found = client.read_deployment(deployment.apply(image="registry.example.com/sluice:1"))
    assert (found.work_pool_name, found.entrypoint) == (pool, "prefect_sluice.flows.release.release")
    assert found.job_variables["image"] == "registry.example.com/sluice:1"


@pytest.mark.slow
@pytest.mark.xdist_group("prefect")
@pytest.mark.timeout(300)
def test_prefects_docker_worker_reads_the_template(prefect_server: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect_docker.worker import DockerWorkerJobConfiguration

    async def read() -> DockerWorkerJobConfiguration:
        async with get_client() as client:
            return await DockerWorkerJobConfiguration.from_template_and_values(
                template("docker"), {"env": {"A": "1"}, "name": "run"}, client=client
            )

    found = asyncio.run(read())
    assert (found.image, found.env, found.networks) == ("sluice", {"A": "1"}, ["sluice_default"])
    assert found.volumes == ["sluice_worker:/var/lib/sluice", "sluice_warehouse:/srv/warehouse"]


@pytest.mark.parametrize("name", ["sluice-server.service", "sluice-worker.service"])
def test_systemd_takes_the_unit(tmp_path: Path, name: str) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed: the unit was not read by systemd itself")
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert "ExecStart=/opt/sluice/bin/prefect " in text
    # The program and the user are not here; all else is as it stands.
    unit = tmp_path / name
    unit.write_text(
        text.replace("/opt/sluice/bin/prefect", sys.executable).replace("User=sluice", "User=root")
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    told = [line for line in done.stderr.splitlines() if name in line]
    assert (done.returncode, told) == (0, []), done.stderr
