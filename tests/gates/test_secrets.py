"""The gate `secrets`, with detect-secrets itself. The canary is put together here, so that no file of ours holds it."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha1
from pathlib import Path

import pytest

from prefect_sluice.domain.release import Change
from prefect_sluice.domain.verdict import INHERITED, GateReport, Verdict
from prefect_sluice.gates.base import Gate, ReleaseView, Subject, ToolsView, ask_gate
from prefect_sluice.gates.secrets.detector import FILE, SecretRules, find_secrets
from prefect_sluice.gates.secrets.gate import Secrets, Settings
from prefect_sluice.gates.secrets.literals import literals
from tests.gates.before import changed
from tests.gates.keeping import Kept
from tests.gates.views import but

ROOT = Path(__file__).resolve().parents[2]
CANARY = "AKIA" + "QX7PLM2ZT4KD9VB3"
TOKEN = "ghp_" + "a8Kd93jSlq0Zx7Vb2Nm5Rt1Yw6Uc4Ei3Of9P"
PASSED, WARNED, FAILED, ERRORED = Verdict.PASSED, Verdict.WARNED, Verdict.FAILED, Verdict.ERRORED


def subject(
    root: Path,
    files: Mapping[str, str | bytes],
    *,
    project: str = ".",
    touched: tuple[str, ...] | None = None,
    memory: Kept | None = None,
) -> Subject:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    change = Change("c", "t", project, "Ada", datetime(2026, 1, 1, tzinfo=UTC), "s")
    paths = tuple(files) if touched is None else touched
    return Subject(
        ReleaseView(root / project, {}, (), touched=paths, change=change), tools=ToolsView(memory=memory)
    )


def ask(subject: Subject, **said: object) -> GateReport:
    gate: Gate = Secrets(Settings.model_validate(said))
    return ask_gate(gate, subject)


def sql(secret: str) -> str:
    return f"select *\nfrom read_csv('s3://x', key_id='{secret}')\n"


def test_nothing_passes_and_says_how_much_was_looked_through(tmp_path: Path) -> None:
    report = ask(subject(tmp_path, {"models/a.sql": "select 1", "README.md": "two"}))
    assert report.verdict is PASSED
    assert report.findings[0].summary == "nothing that looks like a secret in 2 files"


def test_a_key_is_found_told_by_its_place_and_shown_nowhere(tmp_path: Path) -> None:
    report = ask(subject(tmp_path, {"models/a.sql": sql(CANARY), "b.sql": "select 1"}))
    [found] = report.findings
    assert (found.verdict, found.subject, found.location) == (FAILED, "models/a.sql", "models/a.sql:2")
    assert found.summary == "models/a.sql holds what looks like a secret: AWS Access Key (line 2)"
    assert found.evidence is not None
    digest = sha1(CANARY.encode()).hexdigest()  # what a baseline names it by
    assert found.evidence.rows == (("models/a.sql:2", "AWS Access Key", digest[:8]),)
    assert CANARY not in repr(report)
    assert digest not in repr(report)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("profiles.yml", "prod:\n  password: hunter2-for-the-warehouse\n"),
        ("etl/load.py", "API_KEY = 'sk8ter0fTheNight'\n"),
        ("a.sql", "attach 'postgres://ada:lovelace1815@db/x' as y"),
        ("id", "-----BEGIN RSA PRIVATE KEY-----\nabc\n"),
        ("docs/swagger/swagger.yml", "password: hunter2-for-the-warehouse\n"),
        ("logo.svg", f"<svg><!-- {CANARY} --></svg>"),
        ("a.env", f"GITHUB={TOKEN}\n"),
        ("ä b/ü.yml", "password: grüße-an-alle-hier\n"),
    ],
)  # fmt: skip
def test_what_looks_like_one(tmp_path: Path, name: str, text: str) -> None:
    assert ask(subject(tmp_path, {name: text})).verdict is FAILED


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("profiles.yml", "password: \"{{ env_var('DBT_ENV_SECRET_PASSWORD') }}\"\n"),
        ("models/a.sql", "select '5d41402abc4b2a76b9719d911017c592' as md5, '1.2.3.4' as version"),
        ("models/m.yml", "- name: password_hash\n  description: the password, hashed\n"),
        ("models/a.sql", f"select '{CANARY}' -- pragma: allowlist secret\n"),
        ("a.yml", f"# pragma: allowlist nextline secret\nkey: {CANARY}\n"),
    ],
)
def test_what_does_not(tmp_path: Path, name: str, text: str) -> None:
    assert ask(subject(tmp_path, {name: text})).verdict is PASSED


LITERAL = "hunter2" + "-for-the-warehouse"
SYNTAX = {
    ".github/workflows/a.yml": """jobs:
  call:
    secrets: inherit
  other:
    secrets: {api_key: ${{ secrets.API_KEY }}}
    env: {PASSWORD: "${{ secrets.PASSWORD }}", GITHUB_TOKEN: "${{ github.token }}"}
    steps:
    - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683
    - run: echo "password=${{ secrets.DB_PASSWORD }}" >> $GITHUB_ENV
""",
    ".gitlab-ci.yml": """variables: {PGPASSWORD: $POSTGRES_PASSWORD, SECRET_KEY: "${SECRET_KEY}", TOKEN: "$[[ inputs.token ]]"}
build:
  secrets: {DATABASE_PASSWORD: {vault: production/db/password@ops, file: false}}
  script: [docker login -u "$CI_REGISTRY_USER" -p "$CI_REGISTRY_PASSWORD" $CI_REGISTRY]
""",
    "dags/a.py": """password = Variable.get("db_password")
token = "{{ var.value.api_token }}"
secret = BaseHook.get_connection("warehouse").password
api_key = os.environ["API_KEY"]
password = "{{ conn.warehouse.password }}"
""",
    "airflow.cfg": "[webserver]\nsecret_key = {SECRET_KEY}\nsecret_key_cmd = cat /run/secrets/webserver\n",
    "docker-compose.yml": """services:
  db:
    environment:
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?must be set}
      POSTGRES_PASSWORD_FILE: /run/secrets/db_password
      AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: postgresql+psycopg2://airflow:airflow@postgres/airflow
    secrets: [db_password]
secrets:
  db_password: {file: ./db_password.txt}
  api_key: {environment: API_KEY}
""",
    "k8s.yml": "- name: PASSWORD\n  valueFrom:\n    secretKeyRef: {name: db, key: password}\n  secretName: my-db-secret\n",
    "azure-pipelines.yml": "env: {DBT_PASSWORD: $(DBT_PASSWORD), TOKEN: $(System.AccessToken)}\n",
    "profiles.yml": """shop:
  outputs:
    dev:
      password: "{{ env_var('DBT_PASSWORD') }}"
      private_key_passphrase: "{{ env_var('PASSPHRASE', '') }}"
      token: "{{ env_var('TOKEN', 'none') }}"
      settings: {s3_secret_access_key: "{{ env_var('S3_SECRET') }}"}
      secrets: [{type: s3, provider: credential_chain}]
""",
    "models/a.sql": """select {{ dbt_utils.generate_surrogate_key(['user_id', 'password_hash']) }} as user_key, token
from read_parquet('s3://x', key_id='{{ env_var("AWS_KEY") }}')
""",
    "models/a.yml": "- name: api_key\n  description: 'The API key: unique'\n  meta: {primary_key: order_id, token: none}\n",
    "seeds/a.csv": "id,hash,password\n1,5d41402abc4b2a76b9719d911017c592,deadbeefdeadbeefdeadbeefdeadbeefdeadbeef\n",
    "README.md": "password: <your-password>\n`postgres://user:password@localhost:5432/db`\nexport TOKEN=...\n",
    ".env.example": "DB_PASSWORD=\nAPI_KEY=changeme\nSECRET_KEY=your-secret-key\nTOKEN=xxxx\n",
}
"""How tools say where a secret is, by file."""
REAL = {
    ".github/workflows/a.yml": f"jobs:\n  b: {{secrets: inherit}}\n  c:\n    with:\n      password: {LITERAL}\n",
    ".gitlab-ci.yml": f"variables:\n  PGPASSWORD: {LITERAL}\n  OTHER: $OTHER\n",
    "dags/a.py": f'password = "{LITERAL}"\ntoken = Variable.get("t")\n',
    "airflow.cfg": f"[webserver]\nsecret_key = {LITERAL}\nsecret_key_cmd = cat /run/x\n",
    "docker-compose.yml": f"environment:\n  URL: postgresql://ada:{LITERAL}@db/x\n  PASSWORD: ${{PASSWORD}}\n",
    "profiles.yml": f"dev: {{type: duckdb, password: {LITERAL}}}\n",
    "models/a.sql": f"create secret (type s3, key_id '{CANARY}', secret '{{{{ env_var(\"S\") }}}}')\n",
    "seeds/a.csv": f"id,key\n1,{CANARY}\n",
    "README.md": f"use {TOKEN} to log in\n",
    ".env.example": f"DB_PASSWORD={LITERAL}\n",
    "id.pem": "-----BEGIN OPENSSH PRIVATE" + " KEY-----\nabc\n",
}
"""Real ones, in the same files."""


@pytest.mark.parametrize("name", SYNTAX)
def test_standard_syntax_is_no_secret(name: str) -> None:
    assert not find_secrets({name: SYNTAX[name]}, SecretRules(("HexHighEntropyString",)))[name]


@pytest.mark.parametrize("name", REAL)
def test_a_real_one_beside_it_still_is(name: str) -> None:
    text = REAL[name]
    found = find_secrets({name: text}, SecretRules(("HexHighEntropyString",)))[name]
    secret = next(word for word in (LITERAL, CANARY, TOKEN, "PRIVATE") if word in text)
    [line] = {item.line for item in found}
    assert secret in text.splitlines()[line - 1]


WRITTEN_OUT = {
    "profiles.yml": """dev:
  password: "{{ env_var('PGPASSWORD', '@') }}"
---
  pass_: {password: "{{ env_var('DB_X', '@') }}"}
---
  url: "postgres://{{ env_var('DB_PASSWORD', '@') }}"
---
  password: "{{ env_var('DB_X') | default('@') }}"
---
  password: "{{ env_var('DB_X', env_var('DB_Y', '@')) }}"
---
  password: "{{ env_var('DB_X') if target.name == 'prod' else '@' }}"
---
  password: >-
    {{ env_var('DB_X', '@') }}
---
  pass: "{{ env_var('DB_X', '@') }}"
---
  token: "{{ env_var('DB_X', '@') }}"
---
  path: "md:x?motherduck_token={{ env_var('MOTHERDUCK_TOKEN', '@') }}"
---
dbt:
  outputs:
    prod: {type: x}
    dev:
      type: postgres
      pass: @
---
dbt:
  outputs:
    dev:
      motherduck_token: '@'
""",
    "models/a.sql": """{{ config(token=env_var('MY_API_KEY', '@')) }}
---
{% set password = var('x', "@") %}
---
create secret s (type s3, key_id 'x', secret '@')
---
attach 'host=db user=ada password=@ dbname=x' as x (type postgres)
""",
    "etl/a.py": """X(password="@", t=f(1))
---
X(a=f(g(2)), password = '@')
---
connect(
    host=os.environ["HOST"],
    password="@",
)
---
connect(password=
    "@", t=f())
---
connect(password=(
    "@"
))
---
c = {"user": f(1), "password": "@"}
---
def run(user: str = f(), password: str = "@") -> None: ...
---
password: str | None = "@"
---
password = os.environ.get("DB_X", "@")
---
x = os.getenv("DB_PASSWORD", default="@")
---
x = os.getenv("DB_PASSWORD") or "@"
---
password = os.environ["DB_X"] or '@'
---
x = Variable.get("db_password", default_var="@")
---
os.environ["PGPASSWORD"] = "@"; f(1)
---
os.environ.setdefault("PGPASSWORD", "@")
---
parser.add_argument("--password", type=str, default="@")
---
connect(client_id=f(1), secret="@")
---
connect("host=db password=@", f(1))
""",
    "compose.yml": """services:
  db: {environment: {PASSWORD: "${DB_PASSWORD:-@}"}}
---
  db: {environment: {PASSWORD: "${DB_X:-@}"}}
""",
}
"""Where a password is written out, as @, and a look line by line gives up."""
LOOKED_UP = {
    "profiles.yml": """a: {password: "{{ env_var('X', '') }}", pass: "{{ env_var('DB_PASSWORD', '') }}"}
b: {password: "{{ env_var('DB_PASSWORD', 'changeme') }}", url: "{{ env_var('DB_PASSWORD', 'test') }}"}
c: {password: "{{ env_var('DB_PASSWORD', env_var('OTHER_PASSWORD')) }}", schema: "{{ env_var('DB_SCHEMA', 'analytics') }}"}
e: {token: "{{ env_var('TOKEN', 'none') }}", pass: "{{ env_var('X', env_var('Y')) }}", x: "{{ env_var('MAX_TOKENS', '4096') }}"}
f:
  outputs:
    dev:
      pass: "{{ env_var('DB_PASSWORD') }}"
      token: changeme
d: {secret_name: "{{ env_var('X', 'the-name-of-it') }}", password_file: "{{ env_var('PASSWORD_FILE', '/run/secrets/db') }}"}
""",
    "models/a.sql": """{{ star(from=ref('users'), except=['password', 'secret_answer']) }}
select password, f(secret) as secret, {{ hash(['password', 'salted-with']) }} from {{ ref('password_resets') }}
where kind = '{{ var("kind", "secret") }}' and password is not null
create secret (type s3, provider credential_chain)
""",
    "etl/a.py": """X(password=os.environ["DB_PASSWORD"], t=f(1))
X(password=getpass("Password of the warehouse: "), user="somebody")
X(password=f"{first}-{second}", secret=PREFIX + name, t=f())
X(password="", secret=None, api_key="<your-api-key>", t=f("password"))
password = os.environ.get("DB_PASSWORD", "")
model = os.environ.get("TOKENIZER", "somebody/else-7b"); token = row.get("token", "the-first-one")
password = prompt("password", "Which password is it?")
if kind == "password": print("password", "length", f(1))
logging.info("password %s", mask(password)); rename(columns={"secret": f(1)})
parser.add_argument("--password", default=None, help="of the warehouse")
connect(f"host={host} password={password}")
""",
    "compose.yml": """services:
  db: {environment: {PASSWORD: "${DB_PASSWORD:-}", OTHER: "${DB_PASSWORD:-postgres}", THIRD: "${DB_PASSWORD:-$OTHER}"}}
""",
}
"""Where it is looked up, empty, or a word that stands for one."""


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name in WRITTEN_OUT for text in WRITTEN_OUT[name].split("---\n")]
)
def test_a_password_written_out_as_a_default_or_among_arguments_is_found(name: str, text: str) -> None:
    [found] = find_secrets({name: text.replace("@", LITERAL)}, SecretRules(("HexHighEntropyString",)))[name]
    place = text[: text.index("@")].count("\n") + 1
    assert (found.line, found.digest) == (place, sha1(LITERAL.encode()).hexdigest())
    allowed = text.replace("@", LITERAL).splitlines()
    allowed[place - 1] += f"  {'--' if name.endswith('.sql') else '#'} pragma: allowlist secret"
    assert not find_secrets({name: "\n".join(allowed)}, SecretRules())[name]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "password",
        "'",
        '"password": "',
        "password=",
        "create secret ",
        "${password",
        "get('",
        "{{ env_var(",
        "_",
        "x.y[",
    ],
)
def test_a_long_line_takes_no_longer_than_its_length(piece: str) -> None:
    """One of 100,000 letters without a blank took minutes once."""
    list(literals(f"password = {piece * (50_000 // len(piece))}"))


@pytest.mark.parametrize("name", LOOKED_UP)
def test_one_that_is_looked_up_or_empty_is_none(name: str) -> None:
    assert not find_secrets({name: LOOKED_UP[name]}, SecretRules(("HexHighEntropyString",)))[name]


def test_what_was_there_before_the_first_release_is_one_line_and_a_key_of_a_fixed_form_is_told_by_itself(
    tmp_path: Path,
) -> None:
    files = {f"{name}.yml": f"password: {LITERAL}\n" for name in "abcd"}
    files |= {"new.yml": f"password: {LITERAL}\n", "keys.sql": sql(CANARY)}
    given = subject(tmp_path, files)
    was = {name: text for name, text in files.items() if name != "new.yml"}
    report = ask(but(given, former=changed(tmp_path, was, files)))
    key, new, old = report.findings
    assert (key.verdict, key.subject) == (WARNED, "keys.sql")
    assert "make it void" in key.fix
    assert (new.verdict, new.subject) == (FAILED, "new.yml")
    assert (old.verdict, old.check) == (WARNED, INHERITED)
    assert old.summary == (
        "4 secret-like texts in a.yml, b.yml, c.yml and 1 more, on lines that were there before;"
        " a line counts once it changes"
    )
    assert old.evidence is not None
    assert old.evidence.total == 4
    # Of a file that nobody knew before, all counts.
    [again] = ask(but(given, touched=("a.yml",))).findings
    assert (again.verdict, again.subject) == (FAILED, "a.yml")


def begun(kind: str) -> str:
    return f"-----{kind} RSA PRIVATE KEY-----"


OF_KEY = f"{begun('BEGIN')}\n{'QX7P' * 16}\n{'LM2Z' * 16}\n{begun('END')}\n"


@pytest.mark.parametrize(
    ("was", "now", "verdicts"),
    [
        (f"password: {LITERAL}\n", f"a: 1\npassword: {LITERAL}\nb: 2\n", {INHERITED: WARNED}),
        (f"password: {LITERAL}\n", f"a: 1\napi_key: {LITERAL}x\n", {"secret": FAILED}),
        (
            f"password: {LITERAL}\n",
            f"password: {LITERAL}\napi_key: {LITERAL}x\n",
            {"secret": FAILED, INHERITED: WARNED},
        ),
        (f"key: {CANARY}\n", f"a: 1\nkey: {CANARY}\n", {"secret": WARNED}),
        # A key is told by its first line, and is another one where any of it is.
        (OF_KEY, f"# ours\n{OF_KEY}", {"secret": WARNED}),
        (OF_KEY, OF_KEY.replace("LM2Z", "T4KD"), {"secret": FAILED}),
        # What Python takes for the end of a line is none.
        (
            f"a: 1\f\u2028\npassword: {LITERAL}\nb: 1\n",
            f"a: 1\f\u2028\npassword: {LITERAL}\nb: 2\n",
            {INHERITED: WARNED},
        ),
        (f"password: {LITERAL}\n".encode("utf-16"), f"password: {LITERAL}\nb: 2\n", {INHERITED: WARNED}),
    ],
)
def test_in_a_file_that_changes_what_stands_on_the_lines_that_do_not_is_let_pass(
    tmp_path: Path, was: str | bytes, now: str, verdicts: Mapping[str, Verdict]
) -> None:
    root = tmp_path / "checkout"
    former = changed(root, {"conf.yml": was}, {"conf.yml": now})
    report = ask(but(subject(root, {"conf.yml": now}), former=former))
    assert {item.check: item.verdict for item in report.findings} == verdicts


BLOCK = "jobs:\n  a:\n    steps:\n      - run: |\n          echo 1\n{more}        name: b\n"
KEY = "-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n"


def indented(text: str) -> str:
    return "".join(f"          {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("was", "now", "verdict"),
    [
        # detect-secrets tells a password in a YAML block by the line of the block's key.
        ("", f"export DB_PASSWORD={LITERAL}", FAILED),
        (f"export DB_PASSWORD={LITERAL}", f"export DB_PASSWORD={LITERAL}2", FAILED),
        (KEY.format(body="MIIa"), KEY.format(body="MIIa") + KEY.format(body="MIIb"), FAILED),
        # What changes outside the block is no new secret.
        (f"export DB_PASSWORD={LITERAL}", f"export DB_PASSWORD={LITERAL}", WARNED),
        (KEY.format(body="MIIa"), KEY.format(body="MIIa"), WARNED),
    ],
)
def test_a_block_of_yaml_with_a_secret_counts_as_a_whole(
    tmp_path: Path, was: str, now: str, verdict: Verdict
) -> None:
    before, after = (
        BLOCK.format(more=indented(was)),
        BLOCK.format(more=indented(now)).replace("name: b", "name: c"),
    )
    former = changed(tmp_path / "p", {"ci.yml": before}, {"ci.yml": after})
    report = ask(but(subject(tmp_path / "p", {"ci.yml": after}), former=former))
    assert report.verdict is verdict, report.findings


def test_a_line_that_only_ends_like_a_block_is_a_line(tmp_path: Path) -> None:
    was = f"<a>\n  <b password='{LITERAL}'>\n    <c>1</c>\n  </b>\n</a>\n"
    now = was.replace("1", "2")
    former = changed(tmp_path / "p", {"conf.xml": was}, {"conf.xml": now})
    assert ask(but(subject(tmp_path / "p", {"conf.xml": now}), former=former)).verdict is WARNED


def test_a_last_line_that_gets_another_behind_it_is_no_new_secret(tmp_path: Path) -> None:
    was, now = f"a: 1\npassword: {LITERAL}", f"a: 1\npassword: {LITERAL}\nb: 1\n"
    former = changed(tmp_path / "p", {"conf.yml": was}, {"conf.yml": now})
    assert ask(but(subject(tmp_path / "p", {"conf.yml": now}), former=former)).verdict is WARNED


def test_a_file_that_was_moved_is_known_and_one_whose_past_is_lost_is_said_to_be_so(tmp_path: Path) -> None:
    text = "".join(f"line_{number}: {number}\n" for number in range(9)) + f"password: {LITERAL}\n"
    root = tmp_path / "checkout"
    former = changed(
        root,
        {"old/conf.yml": text, "a.yml": text},
        {"new/conf.yml": f"{text}b: 1\n", "a.yml": f"b: 1\n{text}"},
    )
    given = but(subject(root, {}, touched=("new/conf.yml", "a.yml")), former=former)
    assert [item.check for item in ask(given).findings] == [INHERITED]
    shutil.rmtree(tmp_path / "checkout-bundles")
    assert [(item.check, item.verdict, item.subject) for item in ask(given).findings] == [
        ("secret", FAILED, "a.yml"),
        ("secret", FAILED, "new/conf.yml"),
        ("lines", WARNED, ""),
    ]


def test_only_what_differs_is_looked_through(tmp_path: Path) -> None:
    files = {"old.sql": sql(CANARY), "new.sql": "select 1"}
    assert ask(subject(tmp_path, files, touched=("new.sql", "deleted.sql"))).verdict is PASSED
    assert ask(subject(tmp_path, files, touched=())).not_applicable
    assert ask(
        subject(tmp_path, {"poetry.lock": sql(CANARY), "package-lock.json": sql(CANARY)})
    ).not_applicable
    assert ask(subject(tmp_path, {"a.png": b"\x89PNG\0"})).not_applicable == "no file that differs is a text"


def test_texts_in_odd_encodings_are_read(tmp_path: Path) -> None:
    line = f"key = '{CANARY}' -- größer"
    for content in (line.encode("latin-1"), line.encode("utf-16"), b"\xef\xbb\xbf" + line.encode()):
        assert ask(subject(tmp_path, {"a.sql": content})).verdict is FAILED


def test_the_machines_encoding_does_not_matter(tmp_path: Path) -> None:
    """It would skip, in silence, a file that it cannot decode."""
    (tmp_path / "a.py").write_text(f"# größer\nkey = '{CANARY}'\n", encoding="utf-8")
    code = (
        "from pathlib import Path\nfrom prefect_sluice.gates.secrets.detector import SecretRules, find_secrets\n"
        f"text = Path({str(tmp_path / 'a.py')!r}).read_text(encoding='utf-8')\n"
        "assert len(find_secrets({'a.py': text}, SecretRules())['a.py']) >= 1\n"
    )
    environ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ)


def test_what_is_too_large_is_said(tmp_path: Path) -> None:
    asked = subject(
        tmp_path, {"big.csv": sql(CANARY) * 10, "a.sql": "select 1", "data.parquet": b"PAR1\0" * 500}
    )
    report = ask(asked, max_bytes=100)
    assert [(one.verdict, one.check) for one in report.findings] == [(WARNED, "size"), (PASSED, "secrets")]
    assert report.findings[0].summary == "1 file is too large, and not looked through: big.csv"
    assert ask(asked, max_bytes_in_all=20).verdict is WARNED
    assert ask(asked, max_bytes=100, exclude=["*.csv"]).verdict is PASSED


def test_the_project_may_lie_deeper(tmp_path: Path) -> None:
    files = {"etl/load.py": f"key = '{CANARY}'", "data/dbt/models/a.sql": "select 1"}
    report = ask(subject(tmp_path, files, project="data/dbt"))
    assert [one.location for one in report.findings] == ["etl/load.py:1"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.sql"
    outside.write_text(sql(CANARY))
    asked = subject(tmp_path / "repository", {"a.sql": "select 1"}, touched=("a.sql", "link.sql"))
    (tmp_path / "repository" / "link.sql").symlink_to(outside)
    assert ask(asked).verdict is PASSED


def test_many_in_one_file_are_bounded(tmp_path: Path) -> None:
    lines = "".join(f"k{n} = '{CANARY[:-4]}{n:04}'\n" for n in range(150))
    [found] = ask(subject(tmp_path, {"a.py": lines})).findings
    assert found.evidence is not None
    assert (len(found.evidence.rows), found.evidence.total) == (100, 150)
    assert found.summary.endswith("and 147 more")


# ---- the baseline of detect-secrets ----------------------------------------------------------------------


LEAVES_OUT = {"path": "detect_secrets.filters.regex.should_exclude_file"}


def baseline(**more: object) -> str:
    known = {"type": "AWS Access Key", "hashed_secret": sha1(CANARY.encode()).hexdigest()}
    return json.dumps({"version": "1.5.0", "results": {"models/a.sql": [known]}, **more})


@pytest.mark.parametrize("place", [".", "dbt"])
def test_what_a_baseline_lists_is_known(tmp_path: Path, place: str) -> None:
    files = {f"{place}/models/a.sql": sql(CANARY), f"{place}/{FILE}": baseline(), "dbt/x.sql": "select 1"}
    named = tuple(str(Path(name)) for name in files)
    report = ask(subject(tmp_path, files, project="dbt", touched=named))
    assert report.verdict is PASSED
    assert report.findings[0].summary.endswith(f"; 1 known in {FILE}")
    moved = subject(tmp_path, {"models/b.sql": sql(CANARY)}, project="dbt")
    assert ask(moved).verdict is FAILED


def test_a_baseline_chooses_plugins_and_leaves_files_out(tmp_path: Path) -> None:
    plugins = [{"name": "PrivateKeyDetector"}]
    filters = [{**LEAVES_OUT, "pattern": ["^tests/"]}]
    files = {"tests/b.py": f"key = '{TOKEN}'", "b.sql": sql(CANARY), FILE: baseline(plugins_used=plugins)}
    assert ask(subject(tmp_path, files)).verdict is PASSED
    files = {**files, FILE: baseline(filters_used=filters)}
    assert [one.location for one in ask(subject(tmp_path, files)).findings] == ["b.sql:2"]


BACKTRACKS = "(a|a)*$"


@pytest.mark.parametrize(
    ("filters", "files"),
    [
        ("regex.should_exclude_file", {f"{'a' * 60}b.sql": "select 1"}),
        ("regex.should_exclude_line", {"a.sql": f"password = '{TOKEN}' -- {'a' * 60}b"}),
    ],
)
def test_a_baselines_pattern_that_backtracks_for_ever_is_stopped(
    tmp_path: Path, filters: str, files: Mapping[str, str]
) -> None:
    """It is the change's own, and matched in a process of its own."""
    known = baseline(filters_used=[{"path": f"detect_secrets.filters.{filters}", "pattern": [BACKTRACKS]}])
    [finding] = ask(subject(tmp_path, {**files, FILE: known}), timeout="1s").findings
    assert (finding.verdict, finding.check) == (ERRORED, "baseline")
    assert "stopped after 1 s" in finding.summary
    assert FILE in finding.summary


def test_neither_the_network_nor_the_projects_code_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("somebody calls home")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    own = tmp_path / "own.py"
    own.write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    verified = {
        "path": "detect_secrets.filters.common.is_ignored_due_to_verification_policies", "min_level": 2
    }  # fmt: skip
    filters = [verified, {"path": f"file://{own}::keep"}]
    plugins = [{"name": "AWSKeyDetector"}, {"name": "Own", "path": f"file://{own}"}]
    files = {"b.sql": sql(CANARY), FILE: baseline(plugins_used=plugins, filters_used=filters)}
    assert ask(subject(tmp_path, files)).verdict is FAILED
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"results": []}',
        '{"results": {"a": [{}]}}',
        baseline(plugins_used=[{"name": "Nobody"}]),
        baseline(filters_used=[{**LEAVES_OUT, "pattern": "("}]),
    ],
)
def test_a_baseline_that_cannot_be_used_is_an_error(tmp_path: Path, text: str) -> None:
    report = ask(subject(tmp_path, {"a.sql": "select 1", FILE: text}))
    assert [(one.verdict, one.check) for one in report.findings] == [(ERRORED, "baseline")]


# ---- what it leaves behind -------------------------------------------------------------------------------


def test_only_what_is_clean_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Kept()
    asked = subject(tmp_path, {"a.sql": sql(CANARY), "b.sql": "select 1"}, memory=memory)
    assert [ask(asked).verdict, ask(asked).verdict] == [FAILED, FAILED]
    assert (len(memory.written), list(memory.values())) == (1, ["clean"])
    seen: list[str] = []

    def spy(texts: Mapping[str, str], asked: SecretRules) -> object:
        seen.extend(texts)
        return find_secrets(texts, asked)

    monkeypatch.setattr("prefect_sluice.gates.secrets.ask.find_secrets", spy)
    ask(asked)
    ask(asked, plugins_off=[])
    assert seen == ["a.sql", "b.sql", "a.sql"] or seen == ["a.sql", "a.sql", "b.sql"]


def test_it_says_nothing_and_leaves_the_process_as_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: Callable[..., object] = warnings.showwarning
    ask(subject(tmp_path, {"a.sql": sql(CANARY), "b.sql": f"select '{CANARY}' -- pragma: allowlist secret"}))
    out = capfd.readouterr()
    assert CANARY not in caplog.text + out.out + out.err
    assert warnings.showwarning is shown


def test_the_demo_project_has_none() -> None:
    files = subprocess.run(
        ["git", "ls-files", "dbt_project"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in files}
    found = find_secrets(texts, SecretRules(off=Settings().plugins_off))
    assert len(texts) > 40
    assert {name: items for name, items in found.items() if items} == {}


HEX = "E6100000010C13E040CACCAF4140B1AD46C0557E56C0"
"""A point of a map in hex, of a public sample of data. Among its digits stands what begins and ends as a key of AWS does."""


@pytest.mark.parametrize(
    "text", [f"id,place\n1,{HEX}\n", f'{{"place": "{HEX}"}}\n', f"select '{HEX}' as place\n"]
)
def test_a_piece_of_longer_data_in_hex_is_no_key(tmp_path: Path, text: str) -> None:
    assert ask(subject(tmp_path, {"seeds/address.csv": text, "models/a.sql": text})).verdict is PASSED


@pytest.mark.parametrize("before", ["", ",", '"', "=", "\\n", "_", "\t"])
def test_a_key_is_found_wherever_a_word_begins(tmp_path: Path, before: str) -> None:
    report = ask(subject(tmp_path, {"seeds/a.csv": f"id,note\n1,{HEX} {before}{CANARY}\n"}))
    assert report.verdict is FAILED


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("seeds/a.csv", "gates: {secrets: {exclude: [seeds/a.csv]}}"),
        ("data/a.JSON", "gates: {secrets: {exclude: [data/a.JSON]}}"),
        ("models/a.sql", "pragma: allowlist secret"),
    ],
)
def test_the_advice_is_no_comment_where_a_file_can_have_none(tmp_path: Path, path: str, advice: str) -> None:
    [found] = ask(subject(tmp_path, {path: f"id,key\n1,{CANARY}\n"})).findings
    assert found.fix is not None
    assert found.fix.endswith(advice)
