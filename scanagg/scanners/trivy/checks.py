"""Words for Trivy's most frequent checks: a title, why it matters, what to do, and an example.

The most frequent ones were counted on public Python projects with Dockerfiles, Kubernetes manifests
and Terraform.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_ID: Final = re.compile(r"(?:AVD-)?([A-Z]+)-?0*([0-9]+)")


class CheckWords(NamedTuple):
    """The words for a check. `why` and `help` are sentences, `bad` and `good` lines of code."""

    title: str
    why: str
    help: str
    bad: str = ""
    good: str = ""


def words_of(check: str) -> CheckWords | None:
    """Return the words for a check by its id, new or old: DS-0002, DS002, AVD-DS-0002."""
    match = _ID.fullmatch(check)
    return _WORDS.get(f"{match[1]}-{match[2]:0>4}") if match else None


_LIMITS: Final = "A container without limits can take all of a node and stop its neighbours."
_CAPABILITIES: Final = (
    "Capabilities are parts of the power of root, and most programs need none of them."
)
_ROOT: Final = (
    "A process that runs as root can change everything in its container, and escapes from it more "
    "easily."
)
_SYSCALLS: Final = "Without seccomp, a process can use every system call, even vulnerable ones."
_RBAC: Final = "Whoever runs as this role, or takes over a pod that does, has its power."
_ENCRYPTED: Final = "Whoever gets hold of the disk, or a snapshot of it, can read the data."
_PUBLIC_BUCKET: Final = "One wrong policy or access list makes the data of the bucket public."
_TOKENS: Final = (
    "With version 1 of the metadata service, one forged request through a server on the instance "
    "is enough to get its credentials."
)
_CONTEXT: Final = "securityContext:\n  "

_WORDS: Final[Mapping[str, CheckWords]] = {
    # Dockerfiles.
    "DS-0001": CheckWords(
        "Base image without a version",
        "The tag latest moves, so two builds of one commit can have different contents.",
        "Name a version of the base image, or its digest.",
        "FROM python:latest",
        "FROM python:3.13-slim",
    ),
    "DS-0002": CheckWords(
        "Container runs as root",
        _ROOT,
        "Add a USER instruction with another user, after the instructions that need root.",
        'CMD ["python", "app.py"]',
        'USER app\nCMD ["python", "app.py"]',
    ),
    "DS-0004": CheckWords(
        "Dockerfile exposes port 22",
        "An SSH server in a container is one more way in, with keys of its own to look after.",
        "Remove the port and the server. Use docker exec or kubectl exec to get a shell.",
        "EXPOSE 22",
        "EXPOSE 8000",
    ),
    "DS-0005": CheckWords(
        "ADD where COPY is enough",
        "ADD also downloads URLs and unpacks archives, which can put unexpected files into the "
        "image.",
        "Use COPY for files and folders.",
        "ADD app /app",
        "COPY app /app",
    ),
    "DS-0009": CheckWords(
        "WORKDIR with a relative path",
        "The folder depends on the instructions before it, and on the base image.",
        "Use an absolute path.",
        "WORKDIR app",
        "WORKDIR /app",
    ),
    "DS-0010": CheckWords(
        "RUN with sudo",
        "Whoever takes over the container can use sudo, too.",
        "Run the instruction before USER, as root, and do not install sudo.",
        "RUN sudo apt-get install -y git",
        "USER root\nRUN apt-get install -y git\nUSER app",
    ),
    "DS-0011": CheckWords(
        "COPY of several files without a slash",
        "Without the slash at the end, the destination is not a folder, and the build fails.",
        "End the destination with a slash.",
        "COPY app.py settings.py /app",
        "COPY app.py settings.py /app/",
    ),
    "DS-0013": CheckWords(
        "RUN with cd",
        "The folder of a cd ends with its instruction, and the next one runs elsewhere.",
        "Change the folder with WORKDIR.",
        "RUN cd /app && make",
        "WORKDIR /app\nRUN make",
    ),
    "DS-0014": CheckWords(
        "Both wget and curl",
        "Each tool in the image is one that attackers can use, and these two do the same.",
        "Use only one of them.",
        "RUN wget https://example.org/a && curl -O https://example.org/b",
        "RUN curl -O https://example.org/a -O https://example.org/b",
    ),
    "DS-0015": CheckWords(
        "Cache of yum stays in the image",
        "The cache makes the image larger, and its package lists grow old.",
        "End the same RUN instruction with yum clean all.",
        "RUN yum install -y git",
        "RUN yum install -y git && yum clean all",
    ),
    "DS-0017": CheckWords(
        "Package lists updated on their own",
        "Docker keeps the layer of the update, so later builds install old packages without fixes.",
        "Update and install in one RUN instruction.",
        "RUN apt-get update\nRUN apt-get install -y git",
        "RUN apt-get update && apt-get install -y git",
    ),
    "DS-0021": CheckWords(
        "apt-get without -y",
        "The build stops at a question that nobody answers.",
        "Add -y.",
        "RUN apt-get install git",
        "RUN apt-get install -y git",
    ),
    "DS-0022": CheckWords(
        "Deprecated instruction MAINTAINER",
        "The instruction is deprecated, and tools that read labels do not see it.",
        "Use a label.",
        "MAINTAINER shop@example.org",
        'LABEL org.opencontainers.image.authors="shop@example.org"',
    ),
    "DS-0024": CheckWords(
        "apt-get dist-upgrade",
        "It can remove packages and change the release, so builds of one commit differ.",
        "Use a newer base image.",
        "RUN apt-get dist-upgrade -y",
        "FROM debian:13-slim",
    ),
    "DS-0025": CheckWords(
        "apk add without --no-cache",
        "The cache makes the image larger, and its package lists grow old.",
        "Add --no-cache.",
        "RUN apk add git",
        "RUN apk add --no-cache git",
    ),
    "DS-0026": CheckWords(
        "No health check",
        "Without one, Docker considers a container healthy while its process runs, even if it no "
        "longer answers.",
        "Add a HEALTHCHECK instruction. Kubernetes ignores it and needs probes instead.",
        'CMD ["python", "app.py"]',
        'HEALTHCHECK CMD ["python", "check.py"]\nCMD ["python", "app.py"]',
    ),
    "DS-0029": CheckWords(
        "apt-get installs recommended packages",
        "Packages that nobody asked for make the image larger, and have vulnerabilities of their "
        "own.",
        "Add --no-install-recommends.",
        "RUN apt-get install -y git",
        "RUN apt-get install -y --no-install-recommends git",
    ),
    "DS-0031": CheckWords(
        "Secret in the image",
        "Images keep build arguments, variables and files: anyone who can pull the image can "
        "read them.",
        "Mount secrets for one RUN instruction, and pass those of the program when it starts. "
        "Revoke the ones that were in an image.",
        "ARG API_TOKEN",
        "RUN --mount=type=secret,id=api_token ./install.sh",
    ),
    # Kubernetes: pods and containers.
    "KSV-0001": CheckWords(
        "Container can gain privileges",
        "A program with setuid can give a process more privileges than its parent has.",
        "Set allowPrivilegeEscalation to false.",
        f"{_CONTEXT}allowPrivilegeEscalation: true",
        f"{_CONTEXT}allowPrivilegeEscalation: false",
    ),
    "KSV-0003": CheckWords(
        "Default capabilities not dropped",
        _CAPABILITIES,
        "Drop ALL, and add the ones that the program needs.",
        f"{_CONTEXT}capabilities: {{}}",
        f"{_CONTEXT}capabilities:\n    drop: [ALL]",
    ),
    "KSV-0004": CheckWords(
        "No capability dropped",
        _CAPABILITIES,
        "Drop ALL, and add the ones that the program needs.",
        f"{_CONTEXT}capabilities: {{}}",
        f"{_CONTEXT}capabilities:\n    drop: [ALL]",
    ),
    "KSV-0005": CheckWords(
        "Capability SYS_ADMIN",
        "SYS_ADMIN is almost the same as root on the node.",
        "Remove SYS_ADMIN from the added capabilities.",
        f"{_CONTEXT}capabilities:\n    add: [SYS_ADMIN]",
        f"{_CONTEXT}capabilities:\n    drop: [ALL]",
    ),
    "KSV-0008": CheckWords(
        "Pod shares the node's IPC",
        "Its processes can read and change the shared memory of others on the node.",
        "Remove hostIPC.",
        "hostIPC: true",
        "hostIPC: false",
    ),
    "KSV-0009": CheckWords(
        "Pod shares the node's network",
        "Its processes reach services that listen only on the node, and network policies do not "
        "apply to them.",
        "Remove hostNetwork.",
        "hostNetwork: true",
        "hostNetwork: false",
    ),
    "KSV-0010": CheckWords(
        "Pod sees the node's processes",
        "Its processes can see, and perhaps stop, all others on the node.",
        "Remove hostPID.",
        "hostPID: true",
        "hostPID: false",
    ),
    "KSV-0011": CheckWords(
        "No CPU limit",
        _LIMITS,
        "Set resources.limits.cpu.",
        "resources: {}",
        'resources:\n  limits:\n    cpu: "1"',
    ),
    "KSV-0012": CheckWords(
        "Container may run as root",
        _ROOT,
        "Set runAsNonRoot to true, and name another user in the image.",
        "securityContext: {}",
        f"{_CONTEXT}runAsNonRoot: true",
    ),
    "KSV-0013": CheckWords(
        "Image without a version",
        "The tag latest moves, so a restart can run another program.",
        "Name a version of the image, or its digest.",
        "image: shop:latest",
        "image: shop:1.4.2",
    ),
    "KSV-0014": CheckWords(
        "Root file system can be written",
        "Attackers can change the program, or leave one of their own.",
        "Set readOnlyRootFilesystem to true, and mount an emptyDir for files that change.",
        "securityContext: {}",
        f"{_CONTEXT}readOnlyRootFilesystem: true",
    ),
    "KSV-0015": CheckWords(
        "No CPU request",
        "The scheduler does not know how much the container needs, and can overload a node.",
        "Set resources.requests.cpu.",
        "resources: {}",
        "resources:\n  requests:\n    cpu: 100m",
    ),
    "KSV-0016": CheckWords(
        "No memory request",
        "The scheduler does not know how much the container needs, and can overload a node.",
        "Set resources.requests.memory.",
        "resources: {}",
        "resources:\n  requests:\n    memory: 128Mi",
    ),
    "KSV-0017": CheckWords(
        "Privileged container",
        "A privileged container has all devices and capabilities of the node: it is root there.",
        "Remove privileged, and add the one capability that the program needs.",
        f"{_CONTEXT}privileged: true",
        f"{_CONTEXT}privileged: false",
    ),
    "KSV-0018": CheckWords(
        "No memory limit",
        _LIMITS,
        "Set resources.limits.memory.",
        "resources: {}",
        "resources:\n  limits:\n    memory: 256Mi",
    ),
    "KSV-0020": CheckWords(
        "Container with a low user id",
        "A user of the node can have the same id, and then the container has that user's rights.",
        "Set runAsUser to an id above 10000.",
        f"{_CONTEXT}runAsUser: 1000",
        f"{_CONTEXT}runAsUser: 10001",
    ),
    "KSV-0021": CheckWords(
        "Container with a low group id",
        "A group of the node can have the same id, and then the container has that group's rights.",
        "Set runAsGroup to an id above 10000.",
        f"{_CONTEXT}runAsGroup: 1000",
        f"{_CONTEXT}runAsGroup: 10001",
    ),
    "KSV-0022": CheckWords(
        "Added capabilities",
        _CAPABILITIES,
        "Remove the capabilities that the program does not need.",
        f"{_CONTEXT}capabilities:\n    add: [NET_ADMIN]",
        f"{_CONTEXT}capabilities:\n    drop: [ALL]",
    ),
    "KSV-0023": CheckWords(
        "Folder of the node mounted",
        "The container can read, and perhaps change, files of the node and of other pods.",
        "Use a volume of another kind, such as emptyDir or persistentVolumeClaim.",
        "hostPath:\n  path: /var/lib/shop",
        "persistentVolumeClaim:\n  claimName: shop",
    ),
    "KSV-0024": CheckWords(
        "Port of the node used",
        "The port is open on the node, past the service and its network policies.",
        "Remove hostPort, and use a Service.",
        "ports:\n  - containerPort: 8000\n    hostPort: 80",
        "ports:\n  - containerPort: 8000",
    ),
    "KSV-0030": CheckWords(
        "No seccomp profile",
        _SYSCALLS,
        "Set seccompProfile.type to RuntimeDefault.",
        "securityContext: {}",
        f"{_CONTEXT}seccompProfile:\n    type: RuntimeDefault",
    ),
    "KSV-0037": CheckWords(
        "Workload in the namespace kube-system",
        "Its neighbours there control the cluster, and roles of that namespace are powerful.",
        "Use a namespace of its own.",
        "namespace: kube-system",
        "namespace: shop",
    ),
    "KSV-0039": CheckWords(
        "No LimitRange in the namespace",
        _LIMITS,
        "Add a LimitRange with default limits for the namespace.",
        "kind: Namespace",
        "kind: LimitRange",
    ),
    "KSV-0040": CheckWords(
        "No ResourceQuota in the namespace",
        "One namespace can take all of the cluster and stop the others.",
        "Add a ResourceQuota for the namespace.",
        "kind: Namespace",
        "kind: ResourceQuota",
    ),
    "KSV-0041": CheckWords(
        "Cluster role can manage secrets",
        "Whoever has the role can read the passwords and keys of every namespace.",
        "Remove secrets from its resources, or use a Role for one namespace.",
        "resources: [secrets]",
        "resources: [configmaps]",
    ),
    "KSV-0048": CheckWords(
        "Role can manage workloads",
        "Whoever can start pods can use every secret and service account of the namespace.",
        "Limit the verbs to those that it needs, such as get and list.",
        "resources: [pods]\nverbs: [create]",
        "resources: [pods]\nverbs: [get, list]",
    ),
    "KSV-0049": CheckWords(
        "Role can manage ConfigMaps",
        "Whoever can change the configuration of a program can change what it does.",
        "Limit the verbs to those that it needs, such as get and list.",
        "resources: [configmaps]\nverbs: [update]",
        "resources: [configmaps]\nverbs: [get]",
    ),
    "KSV-0050": CheckWords(
        "Role can change roles",
        "Whoever can change roles can give themselves every right.",
        "Remove roles and role bindings from its resources.",
        "resources: [roles]\nverbs: [update]",
        "resources: [roles]\nverbs: [get]",
    ),
    "KSV-0056": CheckWords(
        "Role can manage the network",
        "Whoever can change services and endpoints can send the traffic of others elsewhere.",
        "Limit the verbs to those that it needs, such as get and list.",
        "resources: [services]\nverbs: [update]",
        "resources: [services]\nverbs: [get]",
    ),
    "KSV-0104": CheckWords(
        "Seccomp is off",
        _SYSCALLS,
        "Set seccompProfile.type to RuntimeDefault.",
        f"{_CONTEXT}seccompProfile:\n    type: Unconfined",
        f"{_CONTEXT}seccompProfile:\n    type: RuntimeDefault",
    ),
    "KSV-0105": CheckWords(
        "Container runs as root",
        _ROOT,
        "Set runAsUser to an id other than 0.",
        f"{_CONTEXT}runAsUser: 0",
        f"{_CONTEXT}runAsUser: 10001",
    ),
    "KSV-0106": CheckWords(
        "More capabilities than NET_BIND_SERVICE",
        _CAPABILITIES,
        "Drop ALL, and add at most NET_BIND_SERVICE.",
        f"{_CONTEXT}capabilities:\n    drop: [NET_RAW]",
        f"{_CONTEXT}capabilities:\n    drop: [ALL]\n    add: [NET_BIND_SERVICE]",
    ),
    "KSV-0110": CheckWords(
        "Workload in the namespace default",
        "Quotas, network policies and roles of a namespace apply to everything in it.",
        "Use a namespace of its own.",
        "namespace: default",
        "namespace: shop",
    ),
    "KSV-0111": CheckWords(
        "Binding to cluster-admin",
        _RBAC,
        "Bind to a role with only the rights that it needs.",
        "roleRef:\n  kind: ClusterRole\n  name: cluster-admin",
        "roleRef:\n  kind: Role\n  name: shop",
    ),
    "KSV-0113": CheckWords(
        "Role can manage secrets",
        "Whoever has the role can read the passwords and keys of the namespace.",
        "Remove secrets from its resources, or name the ones that it needs in resourceNames.",
        "resources: [secrets]",
        "resources: [secrets]\nresourceNames: [shop]",
    ),
    "KSV-0117": CheckWords(
        "Container listens on a port below 1024",
        "Such ports need root, or a capability.",
        "Listen on port 1024 or above, and let the Service map it.",
        "containerPort: 80",
        "containerPort: 8080",
    ),
    "KSV-0118": CheckWords(
        "Default security context",
        "By default, a container may run as root, gain privileges and write its file system.",
        "Set a securityContext.",
        "containers:\n  - name: shop",
        "containers:\n  - name: shop\n    securityContext:\n      runAsNonRoot: true",
    ),
    "KSV-0125": CheckWords(
        "Image from an unknown registry",
        "Nobody checks what others publish there, or that it stays the same.",
        "Pull the image from a registry that you trust, and pin it to a digest.",
        "image: somebody/shop:1.4.2",
        "image: registry.example.com/shop:1.4.2",
    ),
    # Terraform and CloudFormation for AWS.
    "AWS-0008": CheckWords(
        "Launch configuration with an unencrypted disk",
        _ENCRYPTED,
        "Set encrypted to true for each block device.",
        "encrypted = false",
        "encrypted = true",
    ),
    "AWS-0028": CheckWords(
        "Instance metadata without session tokens",
        _TOKENS,
        "Require tokens in metadata_options.",
        'http_tokens = "optional"',
        'http_tokens = "required"',
    ),
    "AWS-0053": CheckWords(
        "Load balancer on the internet",
        "Anyone can send requests to what is behind it.",
        "Set internal to true, unless the service is for the public.",
        "internal = false",
        "internal = true",
    ),
    "AWS-0057": CheckWords(
        "IAM policy with wildcards",
        "Whoever has the policy can do more than its author meant, including later services.",
        "Name the actions and resources that it needs.",
        'Action = "s3:*"',
        'Action = ["s3:GetObject"]',
    ),
    "AWS-0080": CheckWords(
        "Unencrypted database",
        _ENCRYPTED,
        "Set storage_encrypted to true.",
        "storage_encrypted = false",
        "storage_encrypted = true",
    ),
    "AWS-0086": CheckWords(
        "Bucket accepts public access lists",
        _PUBLIC_BUCKET,
        "Add an aws_s3_bucket_public_access_block with block_public_acls.",
        "block_public_acls = false",
        "block_public_acls = true",
    ),
    "AWS-0087": CheckWords(
        "Bucket accepts public policies",
        _PUBLIC_BUCKET,
        "Add an aws_s3_bucket_public_access_block with block_public_policy.",
        "block_public_policy = false",
        "block_public_policy = true",
    ),
    "AWS-0088": CheckWords(
        "Unencrypted bucket",
        _ENCRYPTED,
        "Add an aws_s3_bucket_server_side_encryption_configuration.",
    ),
    "AWS-0089": CheckWords(
        "Bucket without access logs",
        "After an incident, you cannot find out who read the data.",
        "Add an aws_s3_bucket_logging.",
    ),
    "AWS-0090": CheckWords(
        "Bucket without versioning",
        "Data that is deleted or overwritten, by mistake or by ransomware, is lost.",
        "Add an aws_s3_bucket_versioning.",
    ),
    "AWS-0091": CheckWords(
        "Bucket obeys public access lists",
        _PUBLIC_BUCKET,
        "Add an aws_s3_bucket_public_access_block with ignore_public_acls.",
        "ignore_public_acls = false",
        "ignore_public_acls = true",
    ),
    "AWS-0092": CheckWords(
        "Bucket with a public access list",
        "Everyone on the internet can read the bucket, and with public-read-write also change it.",
        "Make the access list private, and give access to roles with a policy.",
        'acl = "public-read"',
        'acl = "private"',
    ),
    "AWS-0093": CheckWords(
        "Bucket can be public",
        _PUBLIC_BUCKET,
        "Add an aws_s3_bucket_public_access_block with restrict_public_buckets.",
        "restrict_public_buckets = false",
        "restrict_public_buckets = true",
    ),
    "AWS-0094": CheckWords(
        "Bucket without a public access block",
        _PUBLIC_BUCKET,
        "Add an aws_s3_bucket_public_access_block for the bucket.",
    ),
    "AWS-0099": CheckWords(
        "Security group without a description",
        "Nobody dares to remove a group whose purpose is unknown.",
        "Add a description.",
        'name = "web"',
        'name        = "web"\ndescription = "HTTPS from the load balancer"',
    ),
    "AWS-0104": CheckWords(
        "Security group allows all outgoing traffic",
        "Malware on the instance can send data to any address.",
        "Name the addresses that the instance needs.",
        'cidr_blocks = ["0.0.0.0/0"]',
        'cidr_blocks = ["10.0.0.0/16"]',
    ),
    "AWS-0107": CheckWords(
        "SSH or RDP open to the internet",
        "Attackers try passwords and known flaws on every address, all day.",
        "Limit the port to the addresses of your network, or use Session Manager.",
        'cidr_blocks = ["0.0.0.0/0"]',
        'cidr_blocks = ["10.0.0.0/16"]',
    ),
    "AWS-0124": CheckWords(
        "Security group rule without a description",
        "Nobody dares to remove a rule whose purpose is unknown.",
        "Add a description.",
        "cidr_blocks = []",
        'cidr_blocks = []\ndescription = "HTTPS from the load balancer"',
    ),
    "AWS-0130": CheckWords(
        "Launch template without session tokens",
        _TOKENS,
        "Require tokens in metadata_options.",
        'http_tokens = "optional"',
        'http_tokens = "required"',
    ),
    "AWS-0131": CheckWords(
        "Instance with an unencrypted disk",
        _ENCRYPTED,
        "Set encrypted to true for each block device.",
        "encrypted = false",
        "encrypted = true",
    ),
    "AWS-0132": CheckWords(
        "Bucket without a key of your own",
        "With Amazon's own key, access to the bucket is enough to read its data.",
        "Encrypt the bucket with a key of AWS KMS.",
        'sse_algorithm = "AES256"',
        'sse_algorithm = "aws:kms"',
    ),
    "AWS-0164": CheckWords(
        "Subnet gives instances public addresses",
        "Each new instance can be reached from the internet, whether or not it should.",
        "Set map_public_ip_on_launch to false.",
        "map_public_ip_on_launch = true",
        "map_public_ip_on_launch = false",
    ),
    "AWS-0178": CheckWords(
        "VPC without flow logs",
        "After an incident, you cannot find out which connections there were.",
        "Add an aws_flow_log for the VPC.",
    ),
}
