"""A broker with TLS, SASL/SCRAM, mTLS and ACLs for the tests: ops.broker's node with other properties and certificates of its own."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from ops import broker
from ops.kafka import ready
from streams.access import Right
from streams.clients import connect

_SSL = (
    "ssl.keystore.type=PEM\nssl.keystore.location={folder}/broker.pem\nssl.truststore.type=PEM\nssl.truststore.location={folder}/ca.pem\n"
)
_PROPERTIES = """
listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CPORT@,SASL_SSL://127.0.0.1:{scram},SSL://127.0.0.1:{mutual}
advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,SASL_SSL://127.0.0.1:{scram},SSL://127.0.0.1:{mutual}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_worker="{plain}";
listener.name.ssl.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
"""


@dataclass(frozen=True)
class Secured:
    """A running node. `plain` is its listener on loopback for itself, where everybody may do everything."""

    folder: Path
    plain: str
    scram: str
    mutual: str

    def user(self, name: str, password: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, object]:
        """Settings of a user on the listener `scram`."""
        return {
            "security_protocol": "SASL_SSL", "ssl_cafile": str(self.folder / "ca.pem"), "sasl_mechanism": mechanism,
            "sasl_plain_username": name, "sasl_plain_password": password,
        }  # fmt: skip

    def certificate(self, name: str) -> dict[str, object]:
        """Settings of a client with a certificate on the listener `mutual`; its principal is `User:CN=name`."""
        return {"security_protocol": "SSL", "ssl_cafile": str(self.folder / "ca.pem")} | {
            f"ssl_{what}file": str(self.folder / f"{name}.{what}.pem") for what in ("cert", "key")
        }

    def allow(self, principal: str, rights: list[Right], *, security: Mapping[str, object]) -> None:
        """Give rights through the admin API."""
        kinds = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}
        acls = [
            ACL(
                principal, "*", ACLOperation[operation], ACLPermissionType.ALLOW,
                ResourcePattern(kinds[right.kind], right.name),
            )
            for right in rights
            for operation in right.operations
        ]  # fmt: skip
        admin = connect(KafkaAdminClient, self.scram, security=security)
        assert admin.create_acls(acls)["failed"] == []
        admin.close()


def start(folder: Path, users: Mapping[str, str], *, certificates: list[str]) -> Secured:
    """Make certificates, properties and storage in `folder` (with SCRAM users and their passwords), then start the node as usual."""
    ports = ready.free_ports(4)
    _authority(folder / "ca", "test-ca")
    _authority(folder / "other", "another-ca")
    _certificate(folder, "broker", extension="subjectAltName=IP:127.0.0.1")
    (folder / "broker.pem").write_text((folder / "broker.key.pem").read_text() + (folder / "broker.cert.pem").read_text())
    for name in certificates:
        _certificate(folder, name)
    template = (Path(broker.__file__).parent / "kafka" / "server.properties.template").read_text()
    own = (_PROPERTIES + _SSL).format(folder=folder, scram=ports[2], mutual=ports[3], plain=users["worker"])
    names = {line.partition("=")[0] for line in own.splitlines()}
    kept = [line for line in template.splitlines() if line.partition("=")[0] not in names]
    text = (
        "\n".join([*kept, own]).replace("@PORT@", str(ports[0])).replace("@CPORT@", str(ports[1])).replace("@DATA@", str(folder / "data"))
    )
    properties = folder / "secured.properties"
    properties.write_text(text)
    scram = [
        word
        for name, password in users.items()
        for kind in ("SCRAM-SHA-512", "SCRAM-SHA-256")
        for word in ("--add-scram", f"{kind}=[name={name},password={password},iterations=4096]")
    ]
    java = ["java", "-cp", f"{broker.jars()}/*", "kafka.tools.StorageTool"]
    _run([*java, "format", "-t", "Zm9yYWdlLXRlc3RzLTAwMQ", "-c", str(properties), *scram])
    properties.rename(folder / "server.properties")
    plain = broker.start(folder)
    return Secured(folder, plain, f"127.0.0.1:{ports[2]}", f"127.0.0.1:{ports[3]}")


_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _authority(path: Path, name: str) -> None:
    extension = ["-addext", "basicConstraints=critical,CA:TRUE", "-days", "2"]
    _run(["openssl", "req", "-x509", *_KEY, "-subj", f"/CN={name}", *extension, "-keyout", f"{path}.key.pem", "-out", f"{path}.pem"])


def _certificate(folder: Path, name: str, *, extension: str = "extendedKeyUsage=clientAuth") -> None:
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text(extension)
    ca = ["-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key.pem"), "-CAcreateserial", "-days", "2"]
    _run(["openssl", "req", *_KEY, "-subj", f"/CN={name}", "-keyout", str(folder / f"{name}.key.pem"), "-out", str(request)])
    _run(["openssl", "x509", "-req", "-in", str(request), *ca, "-extfile", str(extensions), "-out", str(folder / f"{name}.cert.pem")])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command[:3]}: {done.stderr or done.stdout}"
