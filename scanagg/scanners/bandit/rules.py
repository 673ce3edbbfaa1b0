"""Texts about bandit's rules: title, why it matters, what to do, bad code and good code."""

from collections.abc import Mapping
from typing import Final

_PICKLE: Final = "Loading a pickle can run any code that its author put into it."
_NO_PICKLE: Final = "Load only data that you trust. For other data, use a format such as JSON."
_XML: Final = (
    "A crafted document can use up all memory with nested entities, and make some parsers read "
    "files or open connections."
)
_DEFUSED: Final = "Parse XML from outside with the package defusedxml."
_LEAKED: Final = "Everyone who can read the code, or a copy of it, has the password."
_NO_PASSWORD: Final = (
    "Treat it as leaked: revoke it, issue a new one, and load it from the environment or a secret "
    "manager."
)
_SHELL: Final = (
    "An attacker who controls a part of the command can run other commands through the shell."
)
_NO_SHELL: Final = "Pass the command as a list of arguments, without shell=True."
_HTML: Final = "Text from users that is not escaped can run scripts in the browsers of others."
_OLD_TLS: Final = "Known attacks on old versions of TLS and SSL let others read or change the data."
_DEFAULT_CONTEXT: Final = (
    "Use ssl.create_default_context, which checks certificates and allows only current versions."
)
_WEAK_HASH: Final = "It is practical to create two inputs with the same MD5 or SHA-1 hash."
_TELNET: Final = "Telnet sends everything unencrypted, including passwords."
_FTP: Final = "FTP sends everything unencrypted, including passwords."
_SSH_EXAMPLE: Final = (
    "client = paramiko.SSHClient()\nclient.load_system_host_keys()\nclient.connect(host)"
)
_MARK_SAFE: Final = (
    (
        "from django.utils.safestring import mark_safe\n\n"
        'greeting = mark_safe(f"<b>Hello, {name}</b>")'
    ),
    (
        "from django.utils.html import format_html\n\n"
        'greeting = format_html("<b>Hello, {}</b>", name)'
    ),
)
_UNSAFE_HTML: Final = (
    "HTML marked as safe",
    _HTML,
    "Use format_html, which escapes its arguments.",
    *_MARK_SAFE,
)

RULES: Final[Mapping[str, tuple[str, str, str, str, str]]] = {
    "B101": (
        "Check by an assert statement",
        "With python -O, assert statements are not executed, so the check does not happen.",
        "Raise an exception for checks that the program needs.",
        "assert user.is_admin",
        'if not user.is_admin:\n    raise PermissionError("for administrators only")',
    ),
    "B102": (
        "Text run as code by exec",
        "An attacker who controls a part of the text can run any code.",
        "Call the code directly instead of building it as text for exec.",
        'exec(f"result = {name}(value)")',
        "FUNCTIONS = {'lower': str.lower, 'upper': str.upper}\nresult = FUNCTIONS[name](value)",
    ),
    "B103": (
        "File permissions for everyone",
        "Other users of the machine can change the file, or run it.",
        "Give the file only the permissions that it needs, such as 0o600.",
        "os.chmod(path, 0o777)",
        "os.chmod(path, 0o600)",
    ),
    "B104": (
        "Server on all network addresses",
        "A server on 0.0.0.0 accepts connections from every network that the machine is on.",
        (
            "Bind to 127.0.0.1, or to the one address that clients use. In a container, all "
            "addresses are usual: limit the published ports instead."
        ),
        'server.bind(("0.0.0.0", 8080))',
        'server.bind(("127.0.0.1", 8080))',
    ),
    "B105": (
        "Hard-coded password",
        _LEAKED,
        _NO_PASSWORD,
        'password = "swordfish"',
        'password = os.environ["DATABASE_PASSWORD"]',
    ),
    "B106": (
        "Hard-coded password as an argument",
        _LEAKED,
        _NO_PASSWORD,
        'connect(user="app", password="swordfish")',
        'connect(user="app", password=os.environ["DATABASE_PASSWORD"])',
    ),
    "B107": (
        "Hard-coded password as a default",
        _LEAKED,
        _NO_PASSWORD,
        'def connect(user, password="swordfish"): ...',
        "def connect(user, password): ...",
    ),
    "B108": (
        "Fixed name in a temporary folder",
        (
            "Another user of the machine can create the file first, or put a link to another file "
            "in its place."
        ),
        "Create temporary files with the module tempfile.",
        'report = open("/tmp/report.csv", "w")',
        'report = tempfile.NamedTemporaryFile("w", suffix=".csv")',
    ),
    "B110": (
        "Every exception ignored",
        "Every error is hidden, even those of attacks and of broken security checks.",
        "Catch the exception that you expect, and log it.",
        "try:\n    os.remove(path)\nexcept Exception:\n    pass",
        (
            "try:\n    os.remove(path)\n"
            'except FileNotFoundError:\n    logger.debug("already removed: %s", path)'
        ),
    ),
    "B112": (
        "Every exception skipped in a loop",
        "Every error is hidden, and the loop skips items without a trace.",
        "Catch the exception that you expect, and log it.",
        (
            "for path in paths:\n    try:\n        check(path)\n"
            "    except Exception:\n        continue"
        ),
        (
            "for path in paths:\n    try:\n        check(path)\n"
            '    except OSError:\n        logger.warning("not checked: %s", path)'
        ),
    ),
    "B113": (
        "HTTP request without a timeout",
        "A server that does not answer blocks the program forever.",
        "Pass a timeout in seconds.",
        "requests.get(url)",
        "requests.get(url, timeout=10)",
    ),
    "B201": (
        "Flask with its debugger",
        "Visitors of the page can run code in Flask's debugger.",
        "Run Flask without debug=True. For development, use flask run --debug.",
        "from flask import Flask\n\napp = Flask(__name__)\napp.run(debug=True)",
        "from flask import Flask\n\napp = Flask(__name__)\napp.run()",
    ),
    "B202": (
        "Archive extracted without a filter",
        "A crafted archive can write files outside of the folder, such as a start script.",
        'Pass filter="data" to extractall.',
        "import tarfile\n\nwith tarfile.open(path) as archive:\n    archive.extractall(folder)",
        (
            "import tarfile\n\nwith tarfile.open(path) as archive:\n"
            '    archive.extractall(folder, filter="data")'
        ),
    ),
    "B301": (
        "Data loaded by pickle",
        _PICKLE,
        _NO_PICKLE,
        "cart = pickle.loads(request.body)",
        "cart = json.loads(request.body)",
    ),
    "B302": (
        "Data loaded by marshal",
        (
            "marshal is not made for data from outside: crafted data can crash the program or run "
            "code."
        ),
        _NO_PICKLE,
        "cart = marshal.loads(request.body)",
        "cart = json.loads(request.body)",
    ),
    "B303": (
        "Weak hash",
        _WEAK_HASH,
        (
            "Use SHA-256 or better. For passwords, use a function made for them, such as Argon2 or "
            "scrypt."
        ),
        "from cryptography.hazmat.primitives import hashes\n\ndigest = hashes.Hash(hashes.MD5())",
        (
            "from cryptography.hazmat.primitives import hashes\n\n"
            "digest = hashes.Hash(hashes.SHA256())"
        ),
    ),
    "B304": (
        "Weak cipher",
        "These ciphers are broken, or have blocks so small that long messages leak.",
        "Use AES-GCM or ChaCha20-Poly1305, which also detect changes to the message.",
        (
            "from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\n\n"
            "cipher = Cipher(algorithms.TripleDES(key), modes.CBC(iv))"
        ),
        (
            "from cryptography.hazmat.primitives.ciphers.aead import AESGCM\n\n"
            "encrypted = AESGCM(key).encrypt(nonce, message, None)"
        ),
    ),
    "B305": (
        "Cipher in ECB mode",
        "In ECB mode, equal blocks of the message stay equal, which shows its structure.",
        "Use AES-GCM or ChaCha20-Poly1305, which also detect changes to the message.",
        (
            "from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\n\n"
            "cipher = Cipher(algorithms.AES(key), modes.ECB())"
        ),
        (
            "from cryptography.hazmat.primitives.ciphers.aead import AESGCM\n\n"
            "encrypted = AESGCM(key).encrypt(nonce, message, None)"
        ),
    ),
    "B306": (
        "Temporary name from mktemp",
        "Another user of the machine can create the file after mktemp returns its name.",
        "Use tempfile.NamedTemporaryFile or mkstemp, which create the file.",
        'report = open(tempfile.mktemp(), "w")',
        'report = tempfile.NamedTemporaryFile("w")',
    ),
    "B307": (
        "Text run as code by eval",
        "An attacker who controls a part of the text can run any code.",
        "Use ast.literal_eval for literals. Otherwise, replace eval with code of your own.",
        'size = eval(request.args["size"])',
        'size = ast.literal_eval(request.args["size"])',
    ),
    "B308": _UNSAFE_HTML,
    "B310": (
        "URL of any scheme opened",
        "urlopen also opens file: URLs, so an attacker who controls the URL can read files.",
        (
            "Check that the URL starts with https:// before you open it, or use a client that "
            "opens no files, such as requests."
        ),
        "page = urllib.request.urlopen(url).read()",
        "page = requests.get(url, timeout=10).content",
    ),
    "B311": (
        "Random value that can be predicted",
        "The next values of the module random can be computed from earlier ones.",
        (
            "Use the module secrets for tokens, passwords and keys. For games, samples and "
            "simulations random is fine."
        ),
        'token = "".join(random.choices(LETTERS, k=32))',
        "token = secrets.token_urlsafe()",
    ),
    "B312": (
        "Telnet connection",
        _TELNET,
        "Use SSH, for example with the package paramiko.",
        "connection = telnetlib.Telnet(host)",
        _SSH_EXAMPLE,
    ),
    "B313": (
        "XML parsed without protection",
        _XML,
        _DEFUSED,
        "from xml.etree.cElementTree import parse\n\ntree = parse(upload)",
        "from defusedxml.ElementTree import parse\n\ntree = parse(upload)",
    ),
    "B314": (
        "XML parsed without protection",
        _XML,
        _DEFUSED,
        "from xml.etree.ElementTree import parse\n\ntree = parse(upload)",
        "from defusedxml.ElementTree import parse\n\ntree = parse(upload)",
    ),
    "B315": (
        "XML parsed without protection",
        _XML,
        _DEFUSED,
        "from xml.sax.expatreader import create_parser\n\nparser = create_parser()",
        "from defusedxml.expatreader import create_parser\n\nparser = create_parser()",
    ),
    "B316": (
        "XML parsed without protection",
        _XML,
        _DEFUSED,
        "from xml.dom.expatbuilder import parse\n\ndocument = parse(upload)",
        "from defusedxml.expatbuilder import parse\n\ndocument = parse(upload)",
    ),
    "B317": (
        "XML parsed without protection",
        _XML,
        _DEFUSED,
        "from xml.sax import parse\n\nparse(upload, handler)",
        "from defusedxml.sax import parse\n\nparse(upload, handler)",
    ),
    "B318": (
        "XML parsed without protection",
        _XML,
        _DEFUSED,
        "from xml.dom.minidom import parse\n\ndocument = parse(upload)",
        "from defusedxml.minidom import parse\n\ndocument = parse(upload)",
    ),
    "B319": (
        "XML parsed without protection",
        _XML,
        _DEFUSED,
        "from xml.dom.pulldom import parse\n\nevents = parse(upload)",
        "from defusedxml.pulldom import parse\n\nevents = parse(upload)",
    ),
    "B321": (
        "FTP connection",
        _FTP,
        "Use SFTP, for example with the package paramiko, or ftplib.FTP_TLS with prot_p.",
        "ftp = ftplib.FTP(host, user, password)",
        "ftp = ftplib.FTP_TLS(host, user, password)\nftp.prot_p()",
    ),
    "B323": (
        "TLS without a check of the certificate",
        "Without a check of the certificate, anyone on the network can pose as the server.",
        _DEFAULT_CONTEXT,
        "context = ssl._create_unverified_context()",
        "context = ssl.create_default_context()",
    ),
    "B324": (
        "Weak hash",
        _WEAK_HASH,
        (
            "Use hashlib.sha256, or pass usedforsecurity=False if the hash protects nothing. For "
            "passwords, use a function made for them, such as hashlib.scrypt."
        ),
        "signature = hashlib.md5(message).hexdigest()",
        "signature = hashlib.sha256(message).hexdigest()",
    ),
    "B401": (
        "Import of telnetlib",
        _TELNET,
        "Use SSH, for example with the package paramiko.",
        "import telnetlib",
        "import paramiko",
    ),
    "B402": (
        "Import of ftplib",
        _FTP,
        "Use SFTP, for example with the package paramiko, or ftplib.FTP_TLS with prot_p.",
        "import ftplib",
        "import paramiko",
    ),
    "B403": (
        "Import of pickle or a similar module",
        _PICKLE,
        _NO_PICKLE,
        "import pickle",
        "import json",
    ),
    "B404": (
        "Import of subprocess",
        "A command with input from outside can run another program than you meant.",
        (
            "Check that no argument of a command comes from untrusted input. Where the standard "
            "library has a function for the task, use that."
        ),
        'import subprocess\n\nsubprocess.run(["cp", "-r", source, target])',
        "import shutil\n\nshutil.copytree(source, target)",
    ),
    "B405": (
        "Import of an XML parser without protection",
        _XML,
        _DEFUSED,
        "import xml.etree.ElementTree as ET",
        "import defusedxml.ElementTree as ET",
    ),
    "B406": (
        "Import of an XML parser without protection",
        _XML,
        _DEFUSED,
        "import xml.sax",
        "import defusedxml.sax",
    ),
    "B407": (
        "Import of an XML parser without protection",
        _XML,
        _DEFUSED,
        "import xml.dom.expatbuilder",
        "import defusedxml.expatbuilder",
    ),
    "B408": (
        "Import of an XML parser without protection",
        _XML,
        _DEFUSED,
        "from xml.dom.minidom import parseString",
        "from defusedxml.minidom import parseString",
    ),
    "B409": (
        "Import of an XML parser without protection",
        _XML,
        _DEFUSED,
        "from xml.dom import pulldom",
        "from defusedxml import pulldom",
    ),
    "B411": (
        "Import of xmlrpc",
        "A crafted answer can use up all memory with nested entities or compressed data.",
        "Call monkey_patch of defusedxml.xmlrpc before the program uses XML-RPC.",
        "import xmlrpc.client",
        "import defusedxml.xmlrpc\n\ndefusedxml.xmlrpc.monkey_patch()",
    ),
    "B412": (
        "Application served by CGI",
        (
            "CGI turns the header Proxy of a request into the variable HTTP_PROXY, so that an "
            "attacker can redirect the program's own requests."
        ),
        "Serve the application with a WSGI server such as waitress or gunicorn.",
        "from wsgiref.handlers import CGIHandler\n\nCGIHandler().run(app)",
        "import waitress\n\nwaitress.serve(app)",
    ),
    "B413": (
        "Import of PyCrypto",
        "PyCrypto has had no release since 2013, and has known vulnerabilities.",
        "Use the package cryptography or pycryptodomex.",
        "from Crypto.Cipher import AES",
        "from cryptography.hazmat.primitives.ciphers.aead import AESGCM",
    ),
    "B415": (
        "Import of an IPMI library",
        "IPMI has weak authentication: an attacker on the network can get hashes of passwords.",
        "Manage the hardware through Redfish, or keep IPMI in a network of its own.",
        "import pyghmi",
        "import redfish",
    ),
    "B501": (
        "TLS without a check of the certificate",
        "Without a check of the certificate, anyone on the network can pose as the server.",
        "Remove verify=False. For a private authority, pass its certificate as verify.",
        "requests.get(url, timeout=10, verify=False)",
        'requests.get(url, timeout=10, verify="private-ca.pem")',
    ),
    "B502": (
        "Old version of TLS or SSL",
        _OLD_TLS,
        _DEFAULT_CONTEXT,
        "connection = ssl.wrap_socket(sock, ssl_version=ssl.PROTOCOL_TLSv1)",
        (
            "context = ssl.create_default_context()\n"
            "connection = context.wrap_socket(sock, server_hostname=host)"
        ),
    ),
    "B503": (
        "Old version of TLS or SSL as a default",
        _OLD_TLS,
        _DEFAULT_CONTEXT,
        "def connect(host, version=ssl.PROTOCOL_TLSv1): ...",
        "def connect(host, context=None):\n    context = context or ssl.create_default_context()",
    ),
    "B504": (
        "TLS without a version",
        "ssl.wrap_socket does not check certificates, and allows old versions of TLS.",
        _DEFAULT_CONTEXT,
        "connection = ssl.wrap_socket(sock)",
        (
            "context = ssl.create_default_context()\n"
            "connection = context.wrap_socket(sock, server_hostname=host)"
        ),
    ),
    "B505": (
        "Short cryptographic key",
        "Short keys can be broken, and then others can decrypt or sign.",
        "Use at least 3072 bits for RSA, or an elliptic curve such as P-256 or Ed25519.",
        (
            "from cryptography.hazmat.primitives.asymmetric import rsa\n\n"
            "key = rsa.generate_private_key(public_exponent=65537, key_size=1024)"
        ),
        (
            "from cryptography.hazmat.primitives.asymmetric import rsa\n\n"
            "key = rsa.generate_private_key(public_exponent=65537, key_size=3072)"
        ),
    ),
    "B506": (
        "YAML that can create any object",
        "yaml.load can create any Python object, and so run code that the document names.",
        "Use yaml.safe_load.",
        "import yaml\n\nsettings = yaml.load(text, Loader=yaml.Loader)",
        "import yaml\n\nsettings = yaml.safe_load(text)",
    ),
    "B507": (
        "SSH without a check of the host key",
        "A client that accepts unknown host keys also connects to an attacker's server.",
        "Load known host keys, and reject the others with paramiko.RejectPolicy.",
        (
            "import paramiko\n\nclient = paramiko.SSHClient()\n"
            "client.set_missing_host_key_policy(paramiko.AutoAddPolicy())"
        ),
        (
            "import paramiko\n\nclient = paramiko.SSHClient()\nclient.load_system_host_keys()\n"
            "client.set_missing_host_key_policy(paramiko.RejectPolicy())"
        ),
    ),
    "B508": (
        "SNMP without encryption",
        "SNMPv1 and SNMPv2 send everything unencrypted, including the community string.",
        "Use SNMPv3 with authentication and encryption.",
        "from pysnmp.hlapi import CommunityData\n\naccess = CommunityData(community, mpModel=1)",
        (
            "from pysnmp.hlapi import UsmUserData\n\n"
            "access = UsmUserData(user, authentication_key, encryption_key)"
        ),
    ),
    "B509": (
        "SNMP without authentication or encryption",
        "Without both keys, others on the network can read or forge the messages.",
        "Pass a key for authentication and one for encryption.",
        "from pysnmp.hlapi import UsmUserData\n\naccess = UsmUserData(user)",
        (
            "from pysnmp.hlapi import UsmUserData\n\n"
            "access = UsmUserData(user, authentication_key, encryption_key)"
        ),
    ),
    "B601": (
        "Command of an SSH connection",
        "A shell on the server reads the text, so input in it can run other commands there.",
        (
            "Use SFTP for files. Otherwise, quote each argument with shlex.quote, and check where "
            "it comes from."
        ),
        'import paramiko\n\nclient.exec_command(f"rm {name}")',
        "import paramiko\n\nclient.open_sftp().remove(name)",
    ),
    "B602": (
        "Command run by a shell",
        _SHELL,
        _NO_SHELL,
        'subprocess.run(f"ping -c 1 {host}", shell=True)',
        'subprocess.run(["ping", "-c", "1", "--", host], check=True)',
    ),
    "B603": (
        "Program started by subprocess",
        "An argument from outside can be an option, or name a file that you did not mean.",
        (
            "Check where each argument comes from, and put -- before arguments from outside. Where "
            "the standard library has a function for the task, use that."
        ),
        'subprocess.run(["/bin/rm", name])',
        "pathlib.Path(name).unlink()",
    ),
    "B604": (
        "Function called with shell=True",
        _SHELL,
        _NO_SHELL,
        'run_and_log(f"ping -c 1 {host}", shell=True)',
        'run_and_log(["ping", "-c", "1", "--", host])',
    ),
    "B605": (
        "Command run by a shell",
        _SHELL,
        "Use subprocess.run with a list of arguments.",
        'os.system(f"ping -c 1 {host}")',
        'subprocess.run(["ping", "-c", "1", "--", host], check=True)',
    ),
    "B606": (
        "Program started by os",
        "An attacker who controls the program or its arguments decides what runs.",
        "Name the program in the code, and check that no argument comes from untrusted input.",
        'os.execv(request.args["program"], arguments)',
        'subprocess.run(["/usr/bin/file", "--", name], check=True)',
    ),
    "B607": (
        "Program looked up in PATH",
        "The program is looked up in PATH, where another one of the same name can come first.",
        "Start the program by its absolute path, or make sure that PATH is set by you.",
        'subprocess.run(["git", "status"])',
        'subprocess.run(["/usr/bin/git", "status"])',
    ),
    "B608": (
        "SQL query built from text",
        "An attacker who controls a part of the query can read or change any data.",
        "Pass values as query parameters.",
        "cursor.execute(f\"SELECT * FROM users WHERE name = '{name}'\")",
        'cursor.execute("SELECT * FROM users WHERE name = %s", (name,))',
    ),
    "B609": (
        "Wildcard in a shell command",
        "The shell replaces * with file names, and a file named like an option becomes one.",
        "Pass a list of arguments, with the file names after --.",
        'os.system("tar -cf backup.tar *")',
        'subprocess.run(["tar", "-cf", "backup.tar", "--", *os.listdir()], check=True)',
    ),
    "B610": (
        "SQL text in extra of a Django query",
        (
            "Django puts the text of extra into the query as it is, so input in it can change the "
            "query."
        ),
        "Use filter or annotate, or pass values as params.",
        "User.objects.extra(where=[f\"name = '{name}'\"])",
        "User.objects.filter(name=name)",
    ),
    "B611": (
        "SQL text in RawSQL of Django",
        (
            "Django puts the text of RawSQL into the query as it is, so input in it can change the "
            "query."
        ),
        "Pass values as parameters.",
        (
            "from django.db.models.expressions import RawSQL\n\n"
            "RawSQL(f\"SELECT id FROM users WHERE name = '{name}'\", ())"
        ),
        (
            "from django.db.models.expressions import RawSQL\n\n"
            'RawSQL("SELECT id FROM users WHERE name = %s", (name,))'
        ),
    ),
    "B612": (
        "Logging configuration from a port",
        "Anyone who can send data to the port can run code through the logging configuration.",
        "Pass verify, a function that accepts only signed configurations.",
        "logging.config.listen(9999)",
        "logging.config.listen(9999, verify=check_signature)",
    ),
    "B613": (
        "Invisible characters that reverse text",
        (
            "Invisible characters that change the direction of text make code look different from "
            "what runs."
        ),
        "Remove the characters, and find out who added them.",
        'if role != "user\u202e":\n    grant_access()',
        'if role != "user":\n    grant_access()',
    ),
    "B614": (
        "PyTorch file loaded by pickle",
        "torch.load uses pickle, which can run any code that the file contains.",
        "Pass weights_only=True, or use the format safetensors.",
        "import torch\n\nweights = torch.load(path)",
        "import torch\n\nweights = torch.load(path, weights_only=True)",
    ),
    "B615": (
        "Download from Hugging Face without a commit",
        (
            "Without a commit, the author, or someone with the author's account, can replace what "
            "you download."
        ),
        "Pass the hash of a commit that you have checked as revision.",
        (
            "from transformers import AutoModel\n\n"
            'model = AutoModel.from_pretrained("organisation/model")'
        ),
        (
            "from transformers import AutoModel\n\n"
            'model = AutoModel.from_pretrained("organisation/model", revision=COMMIT)'
        ),
    ),
    "B701": (
        "Jinja2 without escaping",
        _HTML,
        "Create the environment with autoescape=True.",
        "import jinja2\n\nenvironment = jinja2.Environment(loader=loader)",
        "import jinja2\n\nenvironment = jinja2.Environment(loader=loader, autoescape=True)",
    ),
    "B702": (
        "Mako template without escaping",
        (
            "Mako escapes nothing by default, so text from users can run scripts in the browsers "
            "of others."
        ),
        'Pass default_filters=["h"], or use Jinja2 with autoescape=True.',
        "from mako.template import Template\n\npage = Template(text)",
        "from jinja2 import Environment\n\npage = Environment(autoescape=True).from_string(text)",
    ),
    "B703": _UNSAFE_HTML,
    "B704": (
        "HTML in Markup without escaping",
        _HTML,
        "Call format of a Markup, which escapes its arguments.",
        'from markupsafe import Markup\n\ngreeting = Markup(f"<b>Hello, {name}</b>")',
        'from markupsafe import Markup\n\ngreeting = Markup("<b>Hello, {}</b>").format(name)',
    ),
}
"""Title, why, what to do, bad code and good code, by the id of the rule."""
