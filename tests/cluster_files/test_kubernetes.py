"""The manifests for Kubernetes, compared with each other and with the settings of a replica."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import RestSettings
from tests.cluster_files.examples import FOLDER, load_settings, secret_text
from tests.support import ROOT

KUBERNETES = FOLDER / "kubernetes"
KUSTOMIZATION = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
MANIFESTS: dict[tuple[str, str], dict[str, Any]] = {
    (manifest["kind"], manifest["metadata"]["name"]): manifest
    for name in (*KUSTOMIZATION["resources"], "secret.example.yaml")
    for manifest in yaml.safe_load_all((KUBERNETES / name).read_text())
}
SET = MANIFESTS["StatefulSet", "facegate"]["spec"]
POD = SET["template"]["spec"]
(CONTAINER,) = POD["containers"]
LABELS = SET["template"]["metadata"]["labels"]
SECRET = MANIFESTS["Secret", "facegate"]["stringData"]


def variables() -> dict[str, str]:
    """Return the variables of the pod facegate-1, with those of its Secret."""
    given = {each["name"]: each.get("value", "facegate-1") for each in CONTAINER["env"]}
    shown = {name: text.replace("$(POD_NAME)", "facegate-1") for name, text in given.items()}
    return {name: text for name, text in shown.items() if name != "FACEGATE_SECRETS"}


def test_pod_may_do_what_a_container_may_and_nothing_else() -> None:
    (user,) = re.findall(r"useradd --uid (\d+)", (ROOT / "Containerfile").read_text())
    context = POD["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == int(user)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert POD["enableServiceLinks"] is False
    assert CONTAINER["resources"]["limits"].keys() == {"cpu", "memory"}


def test_each_mounted_volume_is_described() -> None:
    described = {
        each["name"] for each in (*POD["volumes"], *(claim["metadata"] for claim in SET["volumeClaimTemplates"]))
    }
    assert {each["name"] for each in CONTAINER["volumeMounts"]} == described


def test_every_volume_of_the_image_is_mounted() -> None:
    (volumes,) = re.findall(r"^VOLUME (.+)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    assert set(yaml.safe_load(volumes)) <= {each["mountPath"] for each in CONTAINER["volumeMounts"]}


def test_probes_ask_whether_the_gateway_is_live_and_ready() -> None:
    paths = {name: CONTAINER[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def test_services_budget_and_policy_mean_the_pods_of_the_set() -> None:
    selectors = [
        SET["selector"]["matchLabels"],
        MANIFESTS["Service", "facegate"]["spec"]["selector"],
        MANIFESTS["Service", "facegate-replicas"]["spec"]["selector"],
        MANIFESTS["PodDisruptionBudget", "facegate"]["spec"]["selector"]["matchLabels"],
        MANIFESTS["NetworkPolicy", "facegate"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector == LABELS for selector in selectors)
    assert ("Service", SET["serviceName"]) in MANIFESTS


def test_policy_allows_rest_the_store_and_the_broker() -> None:
    policy = MANIFESTS["NetworkPolicy", "facegate"]["spec"]
    (incoming,) = policy["ingress"]
    assert incoming["ports"] == [{"protocol": "TCP", "port": RestSettings().port}]
    outgoing = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    broker_port = yaml.safe_load((KUBERNETES / "gateway.yaml").read_text())["mqtt"]["port"]
    assert outgoing == {53, 5432, broker_port}


def test_secret_is_an_example_that_is_not_applied_by_itself() -> None:
    assert "secret.example.yaml" not in KUSTOMIZATION["resources"]
    (volume,) = (each for each in POD["volumes"] if each["name"] == "secrets")
    assert volume["secret"]["secretName"] == MANIFESTS["Secret", "facegate"]["metadata"]["name"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of another user")
def test_data_folder_can_be_made_in_a_volume_that_belongs_to_root() -> None:
    """Kubernetes gives a volume to the group of the pod. The folder of the volume still belongs to root."""
    user, group = POD["securityContext"]["runAsUser"], POD["securityContext"]["fsGroup"]
    # The imports come first: other users may not be able to read the environment of the tests.
    code = """
import os, pathlib, sys
from gateway.files.data_folder import data_folder_lock
os.setgroups([])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[2]))
with data_folder_lock(pathlib.Path(sys.argv[1])):
    print("locked")
"""
    volume = Path(tempfile.mkdtemp())
    try:
        os.chown(volume, 0, group)
        volume.chmod(0o2775)
        data = volume / Path(variables()["FACEGATE_DATA"]).relative_to("/data")
        command = [sys.executable, "-c", code, str(data), str(user), str(group)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("locked\n", "")
    finally:
        shutil.rmtree(volume)


def test_pod_has_its_settings(tmp_path: Path) -> None:
    for name, text in SECRET.items():
        (tmp_path / name).write_text(text)
    # A real key, and the file that the settings name.
    (tmp_path / "FACEGATE_PEOPLE__KEY").write_text("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
    settings_file = tmp_path / "gateway.yaml"
    settings_file.write_text((KUBERNETES / "gateway.yaml").read_text().replace("/secrets/", f"{tmp_path}/"))
    settings = load_settings({**variables(), "FACEGATE_SECRETS": str(tmp_path)}, settings_file)
    assert settings.cluster.name == "site"
    assert settings.cluster.address == "http://facegate-1.facegate-replicas:5001"
    assert settings.mqtt.protocol == "5"
    assert secret_text(settings.mqtt.password) == "PASSWORD"
    assert secret_text(settings.people.store).startswith("postgresql://facegate:PASSWORD@")
    assert settings.rest.anonymous is not None
    assert settings.rest.anonymous.networks == ()
    assert {"facegate", "facegate.facegate.svc"} <= set(settings.rest.hosts)
    mounts = {each["mountPath"] for each in CONTAINER["volumeMounts"]}
    assert str(settings.data.parent) in mounts
    assert variables()["FACEGATE_CONFIG"] in CONTAINER["args"]
    (port,) = CONTAINER["ports"]
    assert port["containerPort"] == settings.rest.port
