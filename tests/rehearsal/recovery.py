"""The drill of disaster-recovery.md with a stop watch: backup, destruction, restore, and everything is there again. Runs are
under way when it begins; they go on to their end when it is over."""
import re
import time

import blocks
import drills
import experiments
import shell
import world

FINGERPRINT = ("SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') "
               "FROM \"{}\" t")


def fingerprint(here):
    """Rows and a checksum of them for each table."""
    tables = here.world.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").split()
    return {table: here.world.sql(FINGERPRINT.format(table)) for table in tables}


def scale(api, workers):
    for name, replicas in ((world.SERVICE, api), ("llm-research-worker", workers)):
        world.kubectl("scale", f"deployment/{name}", "-n", world.NAMESPACE, f"--replicas={replicas}")


def maintenance(value):
    world.kubectl("patch", "configmap", "llm-research-config", "-n", world.NAMESPACE, "--type", "merge", "-p",
                  f'{{"data":{{"MAINTENANCE_MODE":"{value}"}}}}')


def pods_of_service():
    return [pod for selector in ("app=llm-research-api", "app=llm-research-worker")
            for pod in world.get("pods", selector=selector)]


def restore(here, dump):
    """The database is destroyed, and comes again from what the bucket has."""
    here.world.drop_database()
    here.world.make_database()
    outcome = shell.call(
        ["bash", "-ec", f'aws s3 cp "{dump}" lab.sql --only-show-errors; '
                        'psql -qX -v ON_ERROR_STOP=1 "$NEW_DATABASE_URL" < lab.sql >/dev/null'],
        {**here.env, "NEW_DATABASE_URL": here.env["DATABASE_URL"]}, here.folder, 300)
    blocks.expect(outcome.code == 0, outcome.output[-2000:])


def disaster(here):
    runs = experiments.Experiments(here.service, here.world.llm, here.world.env["LLM_URL"], drills.EXPERIMENTS,
                                   drills.ROWS)
    time.sleep(15)
    began = time.monotonic()
    maintenance("true")
    scale(0, 0)
    world.until("no pods", lambda: not pods_of_service(), 60)
    before = fingerprint(here)
    outcome = drills.run_script(here, "run-migrations.sh", "--backup-only")
    dump = re.search(r"s3://\S+\.sql", outcome.output).group()
    saved = time.monotonic()
    restore(here, dump)
    after = fingerprint(here)
    different = {table: (before.get(table), after.get(table)) for table in {*before, *after}
                 if before.get(table) != after.get(table)}
    blocks.expect(not different, f"what was restored differs: {different}")
    restored = time.monotonic()
    maintenance("false")
    scale(3, 2)
    world.until("three pods", lambda: len(drills.ready_pods()) >= 3, 120)
    health = shell.script(here.health_check(), here.env, here.folder, 60, "health-check.sh")
    blocks.expect(health.code == 0, f"the health check fails: {health.output[-500:]}")
    served = time.monotonic()
    runs.wait()
    wrong, counted = runs.check(here.world.sql)
    blocks.expect(not wrong, f"{wrong} ({counted})")
    rows = sum(int(one.split()[0]) for one in before.values())
    return (f"stopped, saved and proven in {saved - began:.0f} s, destroyed and restored in {restored - saved:.0f} s, serving "
            f"after {served - began:.0f} s; {len(before)} tables, {rows} rows, counts and checksums equal; {counted}")
