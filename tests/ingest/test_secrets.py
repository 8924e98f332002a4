"""Secrets are replaced, everything else is kept; the fake secrets are put together here so that no scanner trips."""

import base64
import random
import re
import socket
import string
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memem.errors import NotReady
from memem.ingest import shapes
from memem.ingest.secrets import redact
from memem.text import clean

ALPHANUMERIC = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits
MARK = re.compile(r"\[REDACTED:[\w-]+\]")


def fake(length: int, alphabet: str = ALPHANUMERIC, seed: int = 1) -> str:
    """A random word with a digit in the middle, the same for the same arguments."""
    draw = random.Random(f"{length}{alphabet}{seed}")
    word = [draw.choice(alphabet) for _ in range(length)]
    word[length // 2] = "7"
    return "".join(word)


VALUE = fake(32)
JWT = ".".join(("eyJ" + fake(30), "eyJ" + fake(40, seed=2), fake(43, seed=3)))
PEM = "\n".join(("-----BEGIN RSA " + "PRIVATE KEY-----", fake(64), fake(40), "-----END RSA " + "PRIVATE KEY-----"))
TOKENS = {
    "anthropic": "sk-" + "ant-api03-" + fake(95),
    "openai": "sk-" + "proj-" + fake(48),
    "openai-legacy": "sk-" + fake(48),
    "github": "gh" + "p_" + fake(36),
    "github-fine": "github" + "_pat_" + fake(22) + "_" + fake(59),
    "gitlab": "gl" + "pat-" + fake(20),
    "aws": "AK" + "IA" + fake(16, UPPER),
    "google": "AI" + "za" + fake(35),
    "slack": "xo" + "xb-" + fake(12, string.digits) + "-" + fake(12, string.digits) + "-" + fake(24),
    "stripe": "sk_" + "live_" + fake(99),
    "npm": "np" + "m_" + fake(36),
    "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + fake(90),
    "sendgrid": "S" + "G." + fake(22) + "." + fake(43),
    "azure": fake(3) + "8" + "Q~" + fake(34),
    "huggingface": "h" + "f_" + fake(34),
    "digitalocean": "dop" + "_v1_" + fake(64, HEX),
    "cloudflare": "cf" + "ut_" + fake(48),
    "runpod": "rp" + "a_" + fake(44, UPPER),
    "vault-legacy": "s" + "." + fake(24),
    "blob": "vercel_blob" + "_rw_" + fake(16) + "_" + fake(30),
    "jwt": JWT,
}
ASSIGNMENTS = (
    'acmeToken = "{}"',
    "acme_token: {}",
    "acme_token: '{}'",
    "ACME_API_KEY={}",
    "export ACME_API_KEY='{}'",
    '{{"api_key": "{}"}}',
    '{{\\"apiKey\\": \\"{}\\"}}',
    "acmeToken := `{}`",
    'const acmeToken: string = "{}";',
    '"acme_token" => "{}"',
    "acme_token <- '{}'",
    "<acmeToken>\n  {}\n</acmeToken>",
    'System.setProperty("ACME_TOKEN", "{}")',
    '<add key="AcmeSecret" value="{}" />',
    "- name: ACME_TOKEN\n  value: {}",
    "client_secret: |\n  {}\n",
    "acme --api-key {} --verbose",
    "https://api.acme.dev/v1?api_key={}&page=2",
    "//registry.acme.dev/:_authToken={}",
    "machine acme.dev login me password {}",
    "the acme token is {}.",
    'X-Api-Key: {}"',
    "Authorization: Bearer {}",
    "Authorization: Token {}",
    "Authorization: {}",
    "hubspotKey = '{}'",
    "Cookie: sessionid={}; theme=dark",
    "https://{}@git.acme.io/x.git",
    "the API key for staging is {}",
    "token → {}",
    "tokens = ['a', '{}']",
    "acme_token = '''{}'''",
    'acme_token = """{}"""',
    '"{{\\"a\\": {{\\\\\\"token\\\\\\": \\\\\\"{}\\\\\\"}}}}"',
    "acme_token: !!str {}",
    "gh secret set ACME --body {}",
)
PLAIN = (
    "password must be at least 12 characters",
    "the token is validated by middleware, see validateToken() in auth2.py",
    "JWT_SECRET defaults to 'secret' if unset",
    "cat .env.example > .env && vi ~/.config/app2/secret1.json",
    "API_KEY=<your-key>",
    "API_KEY=xxx TOKEN=xxxxxxxxxxxxxxxxxxxx",
    "password: changeme",
    "token=${GITHUB_TOKEN} other=$GITHUB_TOKEN",
    'api_key = os.environ["OPENAI_API_KEY"]',
    "const token = process.env.TOKEN; let x: Token = refreshTokenV2()",
    "secret: ${{ secrets.NPM_TOKEN }}",
    "privateKey: Uint8Array, password: str | None = None, token: string",
    "max_tokens=4096, token_count: 12345, tokenizer: cl100k_base",
    "primary_key: order_id2, cache_key = 'a1b2c3d4e5f6a7b8c9d0e1f2'",
    'fetch(url, {credentials: "include"})',
    '"password": "Enter your password"',
    "postgres://user:password@localhost/db and postgres://me:${PASS}@db and http://localhost:8080/a@b",
    "Authorization: Bearer <token>, or Authorization: Bearer $TOKEN, or Authorization: Bearer token",
    "curl -u username:password https://acme.dev; docker run -u 1000:1000 image",
    "-----BEGIN " + "PRIVATE KEY----- is how such a file starts, and all of this stays",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
    "mail jane.doe@example.com, j@x.io or git@github.com:owner/repo.git",
    f"commit {fake(40, HEX)} and {fake(7, HEX)}",
    "id: 0c9e2a0f-4915-4d0e-9929-c841008ea844",
    "integrity sha512-" + fake(86) + "==",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9",
    "AK" + "IAIOSFODNN7EXAMPLE",
    "Use NuGet/login@v1, then publish\tNuGet login\t2026-08-12T21:01:41.5066668Z with: user",
    '-H "Authorization: basic {base64(email:password[\\n])}"',
    '<input type="hidden" name="authenticity_token" value="' + fake(64) + '">',
    "token1: xoxp-1234567890, token3: xox" + "p-1234-1234-1234-" + fake(32, HEX),
    "xoxp-1234567890 and token: GR134894112312312312312312312",
    "sentry: " + fake(40, HEX) + ", datadog.url: https://app.datadoghq.com/x",
    'i18n: { password: "Passwort", token: "Zugangstoken" }',
    '"password": "Mot de passe oublié ?", "Password": "Passwort vergessen?", "password": "请输入您的密码"',
    '"password": "Введите пароль", "password": "パスワードを入力", "password": "Contraseña nueva"',
    "var token=e.token||t.getToken(),n=r(17)",
    "sentry: https://" + fake(32, HEX) + "@o123.ingest.us.sentry.io/456",
    "'password' => 'required|string|min:8|confirmed'; Password: required|string|min:8",
    "--- PASS: TestToken2 (0.00s)\nfirst pass: 12.5ms",
    "for token in tokens:\n    tokens.extend(reversed([token[::-1]]))",
    "authorization = authorization[1].encode('ascii')",
    ":type passphrase: :py:data:`None`",
    'key = r"{}\\{:0.1f}\\VC\\VC_OBJECTS_PLATFORM_INFO\\Win32"',
    'CHALLENGE_PASSWORD: "challengePassword", HAS_PSK_TLSv1_3: cryptography_has_psk_tlsv13',
    "echo $TOKEN | docker login ghcr.io -u me --password-stdin; echo hello | sudo tee /etc/motd",
    'sqlplus /nolog; sqlplus me/$PASS@db; openssl enc -k "$KEY"; s.someVeryLongNameOfOneField',
    "a \x1b[32mpassword\x1b[0m is \x1b[1mneeded\x1b[0m here",
    "q=caf%C3%A9%20au%20lait%20et%20des%20croissants and \\x1b[0m and \\u00e9t\\u00e9",
    "   1\t-----BEGIN " + "PRIVATE KEY----- is how such a file starts",
    "| token | the id of a session, as text |\n| password | at least 8 characters |",
    "NUGET_API_KEY   2025-01-20T04:03:30Z",
    "The password is: at least 12 characters; the token is: expired; the secret is: configurable; the key is: patience",
    "the password is: argon2id, the password is: <redacted>, the password is: ${DB_PASSWORD}, password is: see 1Passw",
    "password: **required**, - **Password**: at least 8, **Password**: optional",
    'password "Passwort", password "min:8", password "utf-8", fields = ("password", "new_password1", "iso-8859-1")',
    "Das Passwort ist: falsch; das Passwort ist: mindestens 12 Zeichen lang; le mot de passe est : obligatoire",
    "ENV PASSWORD_FILE /run/secrets/x\nENV DB_PASSWORD ${DB_PASSWORD}\nENV DB_PASSWORD $DB_PASSWORD",
    "define('LBL_PASSWORD', 'Passwort'); define('LBL_PASSWORD', 'Please enter it'); define('TOKEN_NAME', 'X-Auth2');",
    'System.setProperty("db.password", password); System.setProperty("db.password", "${db.password}")',
    "each row is identified by 'user_id', IDENTIFIED BY 'password', ALTER USER bob WITH PASSWORD :pw; PASSWORD '$1'",
    'the user sees a password "Password required"; machine learning login page password reset',
    "zip -P $PASS a.zip b; unzip -P does not work; 7z x -p a.7z; bindpw is deprecated; rootpw --iscrypted",
    "1Password is the password manager; we moved the password to 1Password; passwords are SHA256-hashed",
    "PBKDF2WithHmacSHA256 as the password hash; use UTF-8 for the password; log in as admin with OAuth2.0 and 2FA",
    "the token is written to session_store_v2_backup; send the token to user#12; login is app/Users2Page",
    "post the token to https://api.acme.dev/v1?Xa=AbC1; the password check in tests/test_Auth2.py::test_login fails",
    "the token of 2024-11-21T10:11:12Z expired; the password goes to user@Host2.example.org; la clave es user_id_2",
    "密码为空, 密码是必填项, パスワードは必須です, パスワードは8文字以上です, ключ API: обязателен",
    "uses password SHA-256 hashing, or password PBKDF2, or Pass *SDAGISelPass, or pass `force_refresh=True`",
    "",
)


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(
    "around", ["{}", "use {} here", "see (`{}`).", "x={}\ny=1", "a {}, b", "<{}>", "{} <b>", "{}... and", "\n{}"]
)
def test_token_is_replaced_and_its_surroundings_kept(name: str, around: str) -> None:
    found = redact(around.format(TOKENS[name]))
    before, after = around.split("{}")
    assert found.text.startswith(before) and found.text.endswith(after)
    assert MARK.fullmatch(found.text.removeprefix(before).removesuffix(after))
    assert len(found.found) == 1


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_assigned_value_is_replaced_and_its_name_kept(assignment: str) -> None:
    for value in (VALUE, fake(64, HEX), fake(43, ALPHANUMERIC + "-_")):
        text = assignment.format(value)
        assert MARK.sub(lambda _, value=value: value, redact(text).text) == text  # type: ignore[misc]
        assert value not in redact(text).text


@pytest.mark.parametrize(
    "text",
    [
        "password: |hunter2|",
        "DB_PASSWORD=|correcthorse|",
        'password = "|Sommer2024!|"',
        '"password": "|correct horse battery staple|"',
        "the password is |Tr0ub4dor&3|.",
        "PGPASSWORD='|abcdef|' psql",
        "mysql://root:|s3cr3t!|@db/prod",
        "redis://:|p4ss#w0rd|@cache:6379/0",
        "https://me:|p@ss:w0rd|@host.io/x?y=1",
        "curl -s -u elastic:|P@ssw0rd$1| https://localhost:9200",
        "sshpass -p |hunter2!| ssh host",
        "Authorization: Basic |bWU6aHVudGVyMg==|",
        'JWT_SECRET="|supersecretvalue42|"',
        "db.acme.io:5432:shop:me:|Sup3rS3cret!|",
        "docker login -u me -p |Sup3rS3cret!| registry.io",
        "sshpass -p '|Somm er2024|' ssh host",
        "https://x.io/?u=postgres%3A%2F%2Fme%3A|s3cr3tPw9|%40db",
        "das Passwort ist |Sommer2024!x|",
        "mot de passe : |Sommer2024!x|",
        "contraseña: |Sommer2024!x|",
        "密码：|Sommer2024!x|",
        "| password | ¦Sommer2024!x¦ |",
        "**Password:** |Sommer2024!x|",
        "Password:\n|Sommer2024!x|\n",
        "the password for the staging database is |Sommer2024!x|.",
        "log in as admin / |Sommer2024!x|",
        'login("admin", "|Sommer2024!x|")',
        "passwords:\n  - |Sommer2024!x|\n",
        "apiVersion: v1\nkind: Secret\ndata:\n  db: |U29tbWVyMjAyNCF4|\n",
        "smtp_pw: |Sommer2024!x|",
        "dbpass=|Sommer2024!x|",
        'psk="|Sommer2024!x|"',
        "keytool -storepass |Sommer2024!x| -list",
        "creds: admin:|Sommer2024!x|",
        "echo '¦Sommer2024!x¦' | sudo -S ls",
        'echo "¦admin:Sommer2024!x¦" | chpasswd',
        "htpasswd -b users me |Sommer2024!x|",
        "requirepass |Sommer2024!x|",
        "openssl enc -aes-256-cbc -k |Sommer2024!x|",
        "sqlplus me/|Sommer2024!x|@db",
        "jdbc:oracle:thin:me/|Sommer2024!x|@//db:1521/X",
        "net use Z: //s/x /user:me |Sommer2024!x|",
        "password = '|it''s Sommer2024!x|'",
        "The staging database password is: |Xk4mQ9vT2rLp|",
        "the password is : |tiger-Katze-77|",
        "the root password was: |Qw!rt_zPl|",
        "the password is:\n\n    |Xk4mQ9vT2rLp|\n",
        "Das Passwort ist: |Qw!rt_zPl|",
        "**The password is:** |Xk4mQ9vT2rLp|",
        "the password is **|Xk4mQ9vT2rLp|**",
        "- **Password**: |hunter2|",
        "- **Password**: `|Qw!rt_zPl|`",
        'it takes the password "|Xk4mQ9vT2rLp|"',
        "the wifi password |Qw!rt_zPl| is for guests",
        "define('DB_PASSWORD', '|hunter2|');",
        'System.setProperty("db.password", "|hunter2|")',
        'System.setProperty("javax.net.ssl.keyStorePassword", "|Xk4mQ9vT2rLp|")',
        "server.ssl.key-store-password: |Xk4mQ9vT2rLp|",
        "FROM scratch\nENV DB_PASSWORD |hunter|\n",
        "fastcgi_param DB_PASSWORD |hunter2|;",
        "CREATE USER 'a'@'%' IDENTIFIED BY '|hunter|';",
        "CREATE USER a IDENTIFIED WITH mysql_native_password BY '|hunter2|';",
        "create user a identified by |hunter2|;",
        "ALTER USER a PASSWORD '|hunter|';",
        "ALTER ROLE a WITH ENCRYPTED PASSWORD '|hunter|';",
        "SET PASSWORD FOR 'a'@'b' = '|hunter2|';",
        "machine acme.dev login bob password |hunter|",
        "machine acme\n  login bob\n  password |hunter|\n",
        "default login bob password |hunter2|",
        "bindpw |hunter2|",
        "rootpw |Qw!rt_zPl|",
        "zip -r -P |hunter2| a.zip b",
        "7z a -p|hunter2| a.7z b",
        "ldapsearch -x -D cn=admin -w |hunter2| -b dc=x",
        "seed phrase: |abandon ability able about above absent absorb abstract absurd abuse access accident|",
    ],
)
def test_password_alone_is_replaced(text: str) -> None:
    before, password, after = text.split("¦" if "¦" in text else "|")
    redacted = redact(before + password + after).text
    assert MARK.sub("", redacted) == before + after


TOLD = (
    *("set the password to {}", "the password has been changed to {}.", "the password is now {}", "the password's {}"),
    *("the new password will be {}", "the password I use is {}", "password - {}", "pw – {}", "password ({})"),
    *("use {} as the password", '"{}" is my wifi password', "the password on staging: {}", "passphrase of the key: {}"),
    *("the password (it's {}) works", "login is bob / {}", "the credentials are bob:{}", "log in as bob with {}."),
    *("Das Datenbankpasswort ist {}", "Das Passwort vom Server ist {}", "nimm {} als Passwort", "{} ist das Passwort"),
    *("Passwort - {}", "ich habe das Passwort auf {} geändert", "PW ist {}", "Zugangsdaten: bob / {}"),
    *("le mot de passe est maintenant {}", "le mot de passe de la base : {}", "utilise {} comme mot de passe"),
    *("le mot de passe wifi c'est {}", "mdp : {}", "mot de passe {}", "identifiants : bob / {}"),
    *("la contraseña de la base de datos: {}", "usa {} como contraseña", "la clave del wifi es {}", "contraseña {}"),
    *("a senha do servidor é {}", "use {} como senha", "la password del server è {}", "usa {} come password"),
    *("hasło do serwera to {}", "użyj {} jako hasła", "het wachtwoord van de server is {}", "şifre: {}"),
    *("пароль — {}", "пароль от базы: {}", "используй {} как пароль", "lösenordet är {}"),
    *("密码是{}", "数据库密码是：{}", "パスワードは{}です", "パスワードは「{}」です", "비밀번호는 {} 입니다"),
)
TOLD_TOKENS = (
    *("the api key is now {}", "use {} as the api key", "the token's {}", "set the token to {}", "{} is the api token"),
    *("Der API-Schlüssel ist {}", "Das Token lautet: {}", "la clé API est {}", "le jeton est {}", "la clave API es {}"),
    *(
        "a chave API é {}",
        "la chiave API è {}",
        "token to {}",
        "токен: {}",
        "ключ API: {}",
        "密钥是 {}",
        "トークンは{}です",
    ),
)


@pytest.mark.parametrize("sentence", TOLD)
def test_password_that_a_person_tells_in_a_sentence_is_replaced(sentence: str) -> None:
    before, after = sentence.split("{}")
    for password in ("Xk4mQ" + "9vT2rLp", "tiger-" + "Katze-77", "Qw!rt" + "_zPl", "hunter" + "2!x"):
        assert MARK.sub("{}", redact(sentence.format(password)).text) == sentence
        assert redact(before + "1Password" + after).found == ()


@pytest.mark.parametrize("sentence", TOLD_TOKENS)
def test_token_that_a_person_tells_in_a_sentence_is_replaced(sentence: str) -> None:
    for token in (fake(16), fake(20, HEX), fake(43, ALPHANUMERIC + "-_")):
        assert MARK.sub("{}", redact(sentence.format(token)).text) == sentence


@pytest.mark.parametrize("text", PLAIN)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text).text == text
    assert redact(text).found == ()


def test_private_key_goes_as_a_whole_block() -> None:
    assert redact(f"before\n{PEM}\nafter").text == "before\n[REDACTED:private-key]\nafter"


def test_private_key_in_one_escaped_line_goes_as_a_whole() -> None:
    text = '"key": "' + PEM.replace("\n", "\\n") + '", "x": 1'
    assert redact(text).text == '"key": "[REDACTED:private-key]", "x": 1'


def test_private_key_without_its_end_reaches_to_the_end_of_the_text() -> None:
    assert redact("before\n" + PEM[:-35]).text == "before\n[REDACTED:private-key]"


@pytest.mark.parametrize("joint", ["\n", "\\\n", "\r\n    ", '"\n    "', "\n> "])
def test_token_wrapped_over_two_lines_is_found(joint: str) -> None:
    for name in ("anthropic", "github", "aws", "jwt"):
        token = TOKENS[name]
        head, tail = token[: len(token) // 2], token[len(token) // 2 :]
        assert head not in (text := redact(f"see {head}{joint}{tail}\nnext line").text)
        assert tail not in text
        assert text.startswith("see [REDACTED:") and text.endswith("\nnext line")


def test_line_behind_a_token_is_kept() -> None:
    assert redact(TOKENS["github"] + "\nThanks\n").text == "[REDACTED:github]\nThanks\n"


def test_lines_of_a_list_of_tokens_and_hashes_stay_apart() -> None:
    text = "\n".join((TOKENS["github"], TOKENS["anthropic"], fake(40, HEX), TOKENS["aws"], "end"))
    assert MARK.sub("*", redact(text).text) == f"*\n*\n{fake(40, HEX)}\n*\nend"


def test_secret_inside_base64_is_found() -> None:
    for inner in (TOKENS["github"], f"user:x\npassword: {VALUE}\n", PEM):
        encoded = base64.b64encode(inner.encode()).decode()
        assert MARK.fullmatch(redact(encoded).text)


def test_secret_inside_other_encodings_is_found() -> None:
    text = f"user:x\npassword: {VALUE}\n"
    wrapped = "\n".join(re.findall(".{1,76}", base64.b64encode((text * 4).encode()).decode()))
    twice = base64.b64encode(base64.b64encode(text.encode())).decode()
    url_safe = base64.urlsafe_b64encode(b"\xc3\xbe\xc3\xbf>>?" + text.encode()).decode()
    for encoded in (
        wrapped,
        twice,
        url_safe,
        text.encode().hex(),
        base64.b64encode(("grün " + text).encode()).decode(),
    ):
        assert MARK.fullmatch(redact(encoded).text.rstrip("=")), encoded


@pytest.mark.parametrize("joint", ["\\\n", '"\n    "', '" + "', '" +\n    "'])
def test_assigned_value_goes_on_in_the_next_line(joint: str) -> None:
    redacted = redact(f'acme_token = "{VALUE[:16]}{joint}{VALUE[16:]}"').text
    assert VALUE[:16] not in redacted and VALUE[16:] not in redacted
    assert redacted.startswith('acme_token = "') and redacted.endswith('"')


@pytest.mark.parametrize("gap", ["\u200b", "\x1b[0m", "=\n", "\u00ad\u2060"])
def test_token_with_something_invisible_inside_is_found(gap: str) -> None:
    token = TOKENS["github"]
    assert redact(f"see {token[:9]}{gap}{token[9:]} there").text == "see [REDACTED:github] there"


@pytest.mark.parametrize(
    "line", ["{number:6}\t{line}", "{number:5}→{line}", "{number}:{line}", "keys/id.pem:{number}:{line}", "+{line}"]
)
def test_key_block_is_found_whatever_a_program_puts_before_its_lines(line: str) -> None:
    block = "\n".join(line.format(number=at, line=part) for at, part in enumerate(PEM.split("\n"), start=9))
    redacted = redact(f"before\n{block}\nafter").text
    assert redacted.startswith("before\n") and redacted.endswith("[REDACTED:private-key]\nafter")
    rest = "\n".join(block.split("\n")[1:])
    assert redact(f"a line of prose\n{rest}\nmore").text == "a line of prose\n[REDACTED:private-key]\nmore"


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[34;1mtoken\x1b[0m: \x1b[32m{}\x1b[0m",
        '\x1b[1m"password"\x1b[0m\x1b[1;39m:\x1b[0m \x1b[0;32m"{}"\x1b[0m',
        "pass\u200bword: {}",
        "the api key\u2060 for staging is {}",
        "Authorization: \x1b[1mBearer {}",
    ],
)
def test_what_a_terminal_or_nobody_sees_does_not_part_a_name_from_its_value(text: str) -> None:
    redacted = redact(text.format(VALUE) + " there").text
    assert VALUE not in redacted and clean(redacted).endswith(" there")
    assert clean(redacted).startswith(clean(text.split("{}", maxsplit=1)[0])[:5])


@pytest.mark.parametrize("escape", ["%{:02X}", "\\x{:02x}", "\\u00{:02x}"])
def test_token_written_as_numbers_is_found(escape: str) -> None:
    token = TOKENS["github"]
    everything = "".join(escape.format(ord(char)) for char in token)
    for written in (everything, token.replace("_", escape.format(ord("_"))), f"a%3D{everything}"):
        redacted = redact(f"see {written} there").text
        assert redacted.removeprefix("see ").removeprefix("a%3D") == "[REDACTED:github] there"


def test_key_block_that_lost_its_front_is_found() -> None:
    rest = "\n".join(PEM.split("\n")[1:])
    assert redact(f"a line of prose\n{rest}\nmore").text == "a line of prose\n[REDACTED:private-key]\nmore"


def test_key_of_putty_is_found() -> None:
    text = f"Public-Lines: 1\n{fake(64)}\nPrivate-Lines: 1\n{fake(48)}\nPrivate-MAC: {fake(64, HEX)}\nend"
    assert redact(text).text == f"Public-Lines: 1\n{fake(64)}\n[REDACTED:private-key]\nend"


def test_secret_half_of_an_aws_pair_is_found_beside_the_other() -> None:
    secret = fake(40, ALPHANUMERIC + "/+")
    assert secret not in redact(f"{TOKENS['aws']},{secret}").text


def test_hash_of_a_password_is_found() -> None:
    bcrypt = "$2b$12$" + fake(53)
    assert redact(f"me:{bcrypt}:x").text == "me:[REDACTED:password-hash]:x"


@pytest.mark.parametrize("value", ["d" + fake(31, HEX), "su9" + fake(20)])
def test_value_beside_the_name_of_a_service_is_found(value: str) -> None:
    assert redact(f'sumologic.accessId = "{value}"').text == 'sumologic.accessId = "[REDACTED:service-key]"'


def test_rules_are_named_once_for_each_span_in_order() -> None:
    text = f"{PEM} https://a:{VALUE}@b.io {TOKENS['github']}"
    assert redact(text).found == ("private-key", "url-password", "github")


def test_s2_overlapping_finds_become_one() -> None:
    assert redact(f"GITHUB_TOKEN={TOKENS['github']}").text == "GITHUB_TOKEN=[REDACTED:github]"


def test_redacted_text_stays_as_it_is() -> None:
    once = redact("\n".join([*TOKENS.values(), *(form.format(VALUE) for form in ASSIGNMENTS), PEM])).text
    assert redact(once).text == once


FRAGMENTS = st.sampled_from(
    [*TOKENS.values(), VALUE, PEM, *ASSIGNMENTS, "password=", "token: ", '"', "'", "\n", "://a:", "@"]
)


@settings(deadline=None)
@given(st.lists(st.text(max_size=20) | FRAGMENTS, max_size=8).map("".join))
def test_s2_all_other_characters_are_kept(text: str) -> None:
    found = redact(text)
    kept = [re.escape(part) for part in MARK.split(found.text)]
    assert len(kept) == len(found.found) + 1
    assert re.fullmatch("(?s:.+?)".join(kept), text)


@settings(deadline=None)
@given(st.text(alphabet=" .,;:\n\tabcäöü漢🙂", max_size=40), st.text(alphabet=" .,;\n\tabcäöü漢🙂", max_size=40))
def test_token_is_found_between_any_words(before: str, after: str) -> None:
    text = f"{before} {TOKENS['github']} {after}"
    assert redact(text).text == f"{before} [REDACTED:github] {after}"


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a",
            "A",
            " ",
            "\n",
            "key=",
            "key ",
            "secret_",
            "password=",
            'password="',
            "password: a.",
            "token: ",
            "eyJ",
            "eyJ.",
        ),
        *(
            "-----BEGIN",
            "-----BEGIN " + "PRIVATE KEY-----\n",
            "sk-",
            "xoxb-1-",
            "glagent-",
            "://",
            "://a:",
            "abcd1\n",
            "<token>",
        ),
        *(
            "Authorization: ",
            "curl -u a:b ",
            "mysql ",
            "Cookie",
            "A1b2",
            "QUFB",
            "SG.",
            "1.",
            "\\",
            '\\"',
            "eyJaaaaaaaaaaaa.",
        ),
        *(
            "password for a b c d ",
            "tokens: [",
            "tokens:\n - a",
            "mysql -p ",
            'login("a", ',
            "log in as a /",
            "a:5432:",
        ),
        *(
            "kind: Secret\n",
            "data:\n a: b",
            "data:\n \n",
            "datadog",
            "datadog.a = ",
            "seed phrase: abc ",
            "seed: a1 b ",
        ),
        *(
            "%3A%2F%2Fa%3A",
            "\u200ba",
            "\x1b[0m",
            "a=\n",
            'a" + "',
            "A" * 50 + "\n",
            "ab",
            "a_-",
            "$2b$12$a",
            "cookie: a=",
            "AKIA" * 5,
        ),
        *("machine a login b ", "machine a\n", "identified by ", "user a password", "user a ", "set password for a"),
        *(
            "passwort vom a b ",
            "password is ",
            "a as the password ",
            "login: a with ",
            "密码是",
            "パスワード",
            "token, a ",
        ),
        *("zip -P ", "7z a ", "ldapsearch ", "password is: ", "password **", "define('password', '", "ENV password "),
        *("secret='<", "password is ", "BUNDLE_A: a:", "redis-cli "),
        *("a\x1b[", "\x1b", "a\u200bb", "%41", "\\x41", "echo a | ", "htpasswd -b ", "sqlplus a/", "pw=", "s.a1b2"),
    ],
)
def test_time_grows_with_the_length_of_the_text_only(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        started = time.process_time()
        redact(text)
        return time.process_time() - started

    redact("warm")
    short, long = min(seconds(25_000) for _ in range(2)), min(seconds(100_000) for _ in range(2))
    assert long < 2
    assert long < 10 * short + 0.2  # linear is four times; quadratic sixteen, and seconds


def test_missing_detector_asks_to_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes.detectors.cache_clear()
    monkeypatch.setitem(sys.modules, "detect_secrets.core.plugins.util", None)
    with pytest.raises(NotReady, match=r"still installing what this needs \(detect_secrets\); try again in"):
        redact("any text of a-long-word-or-2")


def test_nothing_is_asked_over_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("network used")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(redact("\n".join(TOKENS.values())).found) == len(TOKENS)


def test_importing_the_module_loads_no_third_party_code() -> None:
    code = "import sys, memem.ingest.secrets; print({'detect_secrets', 'requests', 'yaml'}.intersection(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"


def test_every_wanted_detector_exists() -> None:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    names = {p.__module__.rpartition(".")[2] for p in get_mapping_from_secret_type_to_class().values()}
    assert set(shapes.DETECTORS.split()) <= names


PATTERNS = [(needle, pattern) for _, needle, pattern in shapes.shapes()] + list(shapes.detectors())


@pytest.mark.parametrize(("needle", "pattern"), PATTERNS, ids=lambda value: getattr(value, "pattern", "")[:30])
def test_what_is_not_searched_cannot_hold_a_token(needle: str, pattern: re.Pattern[str]) -> None:
    # Lookarounds cannot be drawn from: what they ask for stands around a token, not in it.
    drawn = st.from_regex(
        re.compile(re.sub(r"\(\?<?[=!](?:[^()\[\]]|\[[^]]*\])*\)", "", pattern.pattern), pattern.flags)
    )

    @settings(max_examples=20)
    @given(drawn)
    def holds(token: str) -> None:
        assert needle in token

    holds()


@pytest.mark.parametrize("pattern", ["a|b", "(?i)ab", "[ab]c?", "x?y*", "a{2,}"])
def test_pattern_without_plain_characters_is_always_searched(pattern: str) -> None:
    assert shapes.needle_of(re.compile(pattern)) == ""


NAMES = ["paſsword", "PASSWORD", "toKen", "api_Key", "ſecret", "Auth"]


@given(st.sampled_from(NAMES), st.sampled_from(["\n", "\r\n", " "]))
def test_name_is_found_however_it_is_written(name: str, glue: str) -> None:
    value = "kR7" + fake(20)
    assert value not in redact(f"some text{glue}{name} = '{value}'{glue}more").text
