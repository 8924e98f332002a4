"""Likeness: a correction is never taken for a repetition, and two truths never for a correction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memem.ingest import likeness
from memem.ingest.likeness import CORRECTION, DIFFERENT, EXTENSION, RELATED, SAME, compare


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Redis must run on 6379", "Redis must run on 6380"),
        ("Redis must run on 6380 not 6379", "Redis must run on 6379 not 6380"),
        ("Redis must run on 6380", "Redis must run on 6379 not 6380"),
        ("The cache lives for 5 minutes", "The cache lives for 10 minutes"),
        ("We pin numpy >=2 in CI", "We pin numpy <2 in CI"),
        ("Use tabs in Makefiles", "Never use tabs in Makefiles"),
        ("Do not squash commits on main", "Do squash commits on main"),
        ("The worker can be restarted at night", "The worker can't be restarted at night"),
        ("Wir nutzen Redis für Sitzungen", "Wir nutzen Redis nicht für Sitzungen"),
        ("Nous gardons les sessions dans Redis", "Nous ne gardons pas les sessions dans Redis"),
        ("Run migrations after the deploy", "Run migrations before the deploy"),
        ("Turn telemetry on in staging", "Turn telemetry off in staging"),
        ("Run the tests of the shop with make test", "Run the tests of the shop with just test"),
        ("The queue is polled every 5 s", "The queue is polled every 60 s to save the API"),
        ("On-call for the ledger is Pavel until June", "On-call for the ledger is Aisha from June on"),
        ("You must push to main directly", "You may push to main directly"),
        ("The client calls fetchUser on start", "The client calls fetchAccount on start"),
        ("Config is read from app/settings.py", "Config is read from app/config.py"),
        ("Write native extensions in C", "Write native extensions in C++"),
        ("我们的 Redis 用 6379 端口", "我们的 Redis 用 6380 端口"),
    ],
)
def test_another_number_negation_or_identifier_is_a_correction(old, new):
    assert compare(new, old) == CORRECTION


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Jenkins runs all builds", "We no longer use Jenkins for builds: GitHub Actions runs all of them"),
        ("Sessions are stored in Postgres", "We moved from Postgres to Redis: sessions are stored there"),
        ("New services are written in Go", "For new services we now prefer Kotlin over Go"),
        ("Our license is MIT", "We relicensed from MIT to Apache 2.0"),
        ("Use npm for the frontend packages", "Use pnpm instead of npm for the frontend packages"),
    ],
)
def test_a_correction_announced_in_words_replaces_the_old_text(old, new):
    assert compare(new, old) in (CORRECTION, EXTENSION)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Staging database listens on 5433", "Production database listens on 5432"),
        ("Service A listens on port 8080", "Service B listens on port 8081"),
        ("The API timeout is 30 seconds", "The CLI timeout is 60 seconds"),
        ("AWS region is us-east-1", "GCP region is us-central-1"),
        ("Server 1 runs Postgres", "Server 2 runs MySQL"),
        ("Frontend deploys go to Vercel", "Backend deploys go to Hetzner"),
        ("Use pytest for tests of the API", "Use playwright for tests of the web pages"),
        ("The trial plan includes three seats", "We raised the seats in the free plan from three to five"),
        ("Payments are written in Go", "For new dashboards we prefer Kotlin over Go"),
        ("The proxy caches it for an hour", "The proxy of the shop got a new owner. It was removed."),
        ("Never deploy until the smoke tests passed", "Never deploy until Dana is back"),
        ("Use Redis to avoid locks", "Use Postgres to avoid double writes"),
    ],
)
def test_two_subjects_are_both_true(old, new):
    assert compare(new, old) in (RELATED, DIFFERENT)
    assert compare(old, new) in (RELATED, DIFFERENT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Use uv for installs", "Use uv for installs. It is locked by uv.lock"),
        ("Use uv for installs", "Always use uv for installs"),
        ("Deploy with make deploy-prod", "Deploy with make deploy-prod after the smoke tests passed"),
    ],
)
def test_more_of_the_same_is_an_extension(old, new):
    assert compare(new, old) == EXTENSION


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Use uv for installs", "Use uv for installs."),
        ("Use uv for installs", "use UV for  installs"),
        ("Use `uv` for installs", "Use uv for the installs"),
        ("Don't push to main", "Don’t push to main!"),
        ("Le café est ouvert à 8 heures", "Le cafe est ouvert a 8 heures"),
        ("Use uv for installs. It is locked by uv.lock", "Use uv for installs."),
    ],
)
def test_the_same_in_other_dress_is_the_same(old, new):
    assert compare(new, old) == SAME


def test_another_matter_is_different():
    assert compare("The logo is blue", "Migrations run nightly in a container") == DIFFERENT


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_two_texts_can_be_compared(one, other):
    assert compare(one, other) in (SAME, EXTENSION, CORRECTION, RELATED, DIFFERENT)
    assert compare(one, one) == SAME


@given(
    st.sampled_from(["Redis runs on port {}", "Retry {} times before giving up", "Node {} is required by the build"]),
    st.integers(0, 9999),
    st.integers(0, 9999),
)
def test_another_number_is_never_the_same(template, one, other):
    assert compare(template.format(one), template.format(other)) == (SAME if one == other else CORRECTION)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("test_billing.py needs a running Redis", "test_auth.py needs a running Redis"),
        ("Issue 13 was fixed by pinning numpy", "Issue 12 was fixed by pinning numpy"),
        ("Tenant 2 uses the read replica", "Tenant 1 uses the read replica"),
    ],
)
def test_an_exchanged_name_of_the_subject_is_another_matter(new, old):
    assert compare(new, old) == RELATED


def test_a_version_at_the_beginning_is_still_a_value():
    assert compare("Node 22 is what CI runs", "Node 20 is what CI runs") == CORRECTION


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (
            "Prefer inheritance over composition in the domain model.",
            "Prefer composition over inheritance in the domain model.",
        ),
        ("Run build, then tests, then lint", "Run lint, then tests, then build"),
        ("Use pnpm for installs", "Use npm for installs"),
        ("The default branch is main", "The default branch is master"),
        ("Indent with spaces in this repo", "Indent with tabs in this repo"),
        ("We no longer use Redis; sessions are in Postgres now", "Sessions are stored in Redis"),
    ],
)
def test_an_exchanged_or_rejected_word_corrects(new, old):
    assert compare(new, old) == CORRECTION


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("Deploys on Tuesdays now need a sign-off from Maria.", "Deploys go out on Tuesdays only."),
        ("Integration tests now also need Kafka on port 9092.", "Integration tests need Redis on port 6380."),
        ("Billing service uses Stripe webhooks now.", "Billing service uses PostgreSQL 16."),
        ("The mobile app is now in the App Store.", "The mobile app uses Expo."),
        ("The frontend does not use React Router, it has its own router", "The frontend uses React 18 with Vite."),
        ("Unit tests must not use the network.", "Use make test to run unit tests."),
        ("Redis must run on 6379", "Redis must run on port 6379 here, except in CI"),
    ],
)
def test_a_further_fact_about_the_same_thing_stands_beside_the_old_one(new, old):
    assert compare(new, old) == RELATED


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("All questions about tides go to Ann.", "All questions about cranes go to Bo."),
        ("Maya owns the checkout page.", "Maya owns the landing page."),
        ("Write tests first for the parser.", "Write tests first for the scheduler."),
        ("Never call the network from a reducer.", "Never call the network from a selector."),
        ("Feature branches are squashed.", "Release branches are not squashed."),
        ("v1 of the API is frozen.", "v2 of the API is not frozen."),
        ("Migration 0042 must run offline.", "Migration 0043 must run offline."),
        ("Chrome 120 breaks the upload.", "Chrome 121 breaks the upload."),
        ("GET /orders is paginated.", "GET /customers is paginated."),
        ("Kafka topic orders has 12 partitions.", "Kafka topic payments has 12 partitions."),
        ("Run the linter before pushing.", "Run the tests before pushing."),
        ("Use ruff for Python.", "Use mypy for Python."),
        ("Prices are cached for an hour.", "Prices are computed in calc_price()."),
        ("Always validate input at the boundary.", "Always validate input in the form."),
        ("The meeting with Nordbank is on Monday.", "The meeting with Alpina is on Tuesday."),
        ("The importer is idempotent.", "The importer is slow."),
        ("Secrets are stored in Vault.", "Secrets of the mobile build are stored in Bitrise."),
    ],
)
def test_an_exchanged_subject_never_replaces(one, other):
    assert compare(one, other) in (RELATED, DIFFERENT)
    assert compare(other, one) in (RELATED, DIFFERENT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Maya owns the payments service.", "Jonas owns the payments service."),
        ("Soft delete is the rule for customer rows.", "Hard delete is the rule for customer rows."),
        ("As of January 2026 the SLA is 99.5 percent.", "As of April 2026 the SLA is 99.9 percent."),
        ("Since March we deploy on Tuesdays.", "Since May we deploy on Thursdays."),
        ("Fixtures are in tests/data.", "Fixtures are in tests/fixtures now."),
        ("Secrets are stored in Vault.", "Secrets are stored in AWS Secrets Manager."),
        ("Search is case sensitive.", "Search is case insensitive."),
        ("The dev database runs on localhost:5432.", "The dev database runs on localhost:5544, the old port clashed."),
        ("Python dependencies are declared in requirements.txt.",
         "Python dependencies moved from requirements.txt to pyproject.toml."),
        ("Customer emails are sent with SendGrid.", "SendGrid was replaced by Postmark for customer emails."),
    ],
)  # fmt: skip
def test_an_exchanged_value_of_the_same_subject_corrects(old, new):
    assert compare(new, old) == CORRECTION


WORDS = "the a not now redis valkey port 6380 6379 runs uses on off because since so, that: (see) never. from no longer"
TEXTS = st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=9).map(" ".join)


@given(TEXTS, TEXTS, TEXTS)
def test_what_is_not_compared_further_would_have_been_no_correction(begun, one, other):
    pairs = [(one, other), (f"{begun} {one}", f"{begun} {other}"), (f"{one} {begun}", f"{other} {begun}")]
    answers = [compare(*pair) for pair in pairs]
    with pytest.MonkeyPatch.context() as everywhere:
        everywhere.setattr(likeness, "_may_share", lambda *_: True)
        assert [compare(*pair) for pair in pairs] == answers


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The EU cluster runs Kubernetes 1.29", "The US cluster runs Kubernetes 1.31"),
        ("Monday standup is at 9:30", "Friday standup is at 10:00"),
        ("The standup on Monday is at 9:30", "The standup on Friday is at 10:00"),
        ("On Mondays the office opens at 8", "On Fridays the office opens at 9"),
        ("January sales were 500 units", "February sales were 700 units"),
        ("In March we shipped 3 features", "In April we shipped 5 features"),
        ("Q1 target is 500 signups", "Q2 target is 900 signups"),
        ("The 2025 budget is 4000 euros", "The 2026 budget is 5000 euros"),
        ("In version 3 the limit is 500 rows", "In version 4 the limit is 900 rows"),
        ("Sprint 12 ends on Friday", "Sprint 13 ends on Monday"),
        ("The machine number 12 stands in hall 3 by pump 8", "The machine number 13 stands in hall 4 by pump 9"),
        ("Customer no. 4711 gets 10 percent off", "Customer no. 4712 gets 15 percent off"),
        ("Invoices over 1000 euros need two approvals", "Invoices over 5000 euros need three approvals"),
        ("Required fields are marked with a star", "Optional fields are marked with a star"),
        ("Open tickets are listed in Jira", "Closed tickets are listed in Jira"),
        ("Public buckets are served by Cloudflare", "Private buckets are served by Cloudflare"),
    ],
)
def test_two_subjects_with_two_values_are_both_kept(one, other):
    assert compare(one, other) != CORRECTION
    assert compare(other, one) != CORRECTION


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Backups run on Tuesday at 02:00", "Backups run on Sunday at 04:00"),
        ("The team meets on Monday at 9:00", "The team meets on Thursday at 15:00"),
        ("As of March 2026 the quota is 50", "As of April 2026 the quota is 80"),
        ("The retry limit is 3 with a delay of 5 seconds", "The retry limit is 5 with a delay of 10 seconds"),
        ("Field names are optional", "Field names are required"),
        ("The manual approval is required", "The automatic approval is required"),
    ],
)
def test_two_values_of_one_subject_are_corrected(old, new):
    assert compare(new, old) == CORRECTION
