"""Settings that change while the server runs, told by the API server of a cluster: seen within seconds, whatever
the API server does meanwhile, and no reason not to serve."""
import time
import unittest

import test_listener
import test_pressure
import test_serve
from fake_kubernetes import FakeKubernetes

# What the bar is; a change is mostly seen within milliseconds.
SEEN_SECONDS = 5


class Cluster(test_pressure.Pressure):
    def cluster(self, **data):
        certificate, key = test_listener.make_certificate(self.folder, "api")
        return self.enterContext(FakeKubernetes(self.folder, certificate, key, {"RUST_LOG": "info", **data}))

    def pod(self, api, kind=test_serve.Server, **env):
        server = self.server(kind, **{"MAINTENANCE_MODE": "false", **api.environment(), **env})
        self.token = self.user(server)
        return server

    def said(self, server, part):
        return [one for one in list(server.log) if one["target"].endswith("config") and part in one["message"]]

    def mode(self, server):
        return self.value(server, "maintenance_mode")

    def until(self, what, condition, seconds=SEEN_SECONDS):
        self.wait_for(what, condition, seconds)

    def watched(self, api, server):
        self.until("the ConfigMap is watched", lambda: api.watches == 1, 20)
        self.until("and it says so", lambda: self.value(server, "live_config_watched") == 1)

    def toggle(self, api, server):
        """Both ways; gives the longer time until it was seen, in seconds."""
        longest = 0
        for on in ("true", "false"):
            started = time.monotonic()
            api.patch(MAINTENANCE_MODE=on)
            self.until(f"maintenance is {on}", lambda: self.mode(server) == (on == "true"))
            longest = max(longest, time.monotonic() - started)
        return longest


class Live(Cluster):
    def test_a_patched_config_map_counts_in_running_pods(self):
        api = self.cluster()
        server = self.pod(api)
        self.watched(api, server)
        api.patch(MAINTENANCE_MODE="true", RATE_LIMIT_BURST="150", CONNECTION_POOL_SIZE="3")
        body = {"name": "m", "provider": "openai", "model_identifier": "x"}
        self.until("writes are refused", lambda: server.call("POST", "/models", body, self.token)[0] == 503)
        status, headers, _ = server.call("GET", "/models", token=self.token)
        self.assertEqual((status, headers["X-RateLimit-Limit"]), (200, "150"))
        self.assertEqual(server.call("GET", "/health/ready")[2]["status"], "healthy")
        self.assertEqual(self.value(server, "db_pool_connections_max"), 3)
        api.patch(MAINTENANCE_MODE="false", CONNECTION_POOL_SIZE="7", LOG_LEVEL="error", RUST_LOG="error")
        self.until("writes are taken", lambda: server.call("POST", "/models", body, self.token)[0] != 503)
        self.assertEqual(self.value(server, "db_pool_connections_max"), 7)
        self.assertLess(self.toggle(api, server), 1)
        events = [one["details"] for one in server.call(
            "GET", "/admin/audit-logs?action=config_change", token=self.token)[2]["data"]]
        self.assertTrue(any("CONNECTION_POOL_SIZE" in str(one) for one in events), events)
        self.assertEqual(server.stop()[0], 0)

    def test_what_the_config_map_says_counts_before_the_environment_of_the_start(self):
        # A pod of the last scale-up, started before the flag was taken back.
        api = self.cluster(MAINTENANCE_MODE="false")
        server = self.pod(api, MAINTENANCE_MODE="true")
        self.until("it is over", lambda: self.mode(server) == 0)

    def test_without_a_config_map_the_start_counts_and_one_that_comes_is_seen(self):
        api = self.cluster()
        api.delete()
        server = self.pod(api)
        self.watched(api, server)
        api.patch(MAINTENANCE_MODE="true")
        self.until("it has come", lambda: self.mode(server) == 1)
        api.delete()
        self.until("it has gone", lambda: self.mode(server) == 0)

    def test_a_value_that_is_none_changes_nothing_and_is_told(self):
        api = self.cluster()
        server = self.pod(api)
        self.watched(api, server)
        api.patch(RATE_LIMIT_BURST="many", MAINTENANCE_MODE="true")
        self.until("it is told", lambda: self.said(server, "a changed setting is not used"))
        self.assertEqual(self.mode(server), 0)
        api.patch(RATE_LIMIT_BURST="20")
        self.until("what was mended counts", lambda: self.mode(server) == 1)

    def test_a_token_that_is_rotated_is_used(self):
        api = self.cluster()
        server = self.pod(api)
        self.watched(api, server)
        api.give_token("u" * 40)
        asked = len(api.asked)
        api.fail(watch="cut")
        self.until("the watch begins anew", lambda: len(api.asked) > asked)
        api.fail()
        self.toggle(api, server)

    def test_it_can_be_turned_off(self):
        api = self.cluster(MAINTENANCE_MODE="true")
        server = self.pod(api, LIVE_CONFIG_MAP="off")
        self.assertEqual((self.mode(server), self.value(server, "live_config_watched")), (0, 0))
        self.assertEqual(api.asked, [])


    def test_outside_a_cluster_it_has_no_effect_and_that_is_said(self):
        said = self.said(self.server(LIVE_CONFIG_MAP="mine"), "LIVE_CONFIG_MAP has no effect")
        self.assertEqual(len(said), 1)
        self.assertEqual(self.said(self.server(), "LIVE_CONFIG_MAP"), [])


class Faults(Cluster):
    def test_whatever_the_api_server_does_changes_are_seen_soon_after(self):
        api = self.cluster()
        server = self.pod(api)
        self.watched(api, server)
        resident = self.value(server, "process_resident_memory_bytes")
        for fault in ({"watch": "cut"}, {"watch": "gone"}, {"watch": "garbage"}, {"watch": "huge"}, {"watch": 500},
                      {"watch": 410}, {"list": "reset", "watch": "reset"}, {"list": 500, "watch": 500},
                      {"list": "garbage", "watch": "garbage"}, {"list": 429, "watch": 429}):
            with self.subTest(fault=fault):
                asked = len(api.asked)
                api.fail(**fault)
                self.until("it was met", lambda: len(api.asked) >= asked + 2, 20)
                api.fail()
                self.assertLess(self.toggle(api, server), 2 * SEEN_SECONDS)
        self.until("it is watched again", lambda: self.value(server, "live_config_watched") == 1)
        self.assertEqual(api.watches, 1)
        grown = self.value(server, "process_resident_memory_bytes") - resident
        self.assertLess(grown, 64 << 20)

    def test_a_slow_api_server_is_waited_for(self):
        api = self.cluster()
        api.fail(list="slow")
        server = self.pod(api)
        self.watched(api, server)
        self.toggle(api, server)

    def test_while_it_is_away_nothing_is_stormed_and_what_was_missed_is_seen(self):
        api = self.cluster()
        server = self.pod(api)
        self.watched(api, server)
        api.fail(list=503, watch=503)
        self.until("it is told", lambda: self.said(server, "is not watched"), 20)
        asked, started = len(api.asked), time.monotonic()
        time.sleep(4)
        self.assertLess((len(api.asked) - asked) / (time.monotonic() - started), 4, "calls a second")
        api.patch(MAINTENANCE_MODE="true")
        api.forget()
        api.fail()
        self.until("what was missed is seen", lambda: self.mode(server) == 1, 2 * SEEN_SECONDS)
        self.assertEqual(len(self.said(server, "is not watched")), 1, "a problem is told once")

    def test_who_may_not_is_told_once_and_the_service_goes_on(self):
        api = self.cluster()
        api.fail(list=403)
        server = self.pod(api)
        self.until("it is told", lambda: self.said(server, "needs a Role with get, list and watch"))
        self.assertEqual(server.call("GET", "/health/ready")[2]["status"], "healthy")
        self.made(server, self.token, "/experiments", {"name": "e"})
        time.sleep(1)
        self.assertEqual(api.asked, ["list"])
        self.assertEqual(len(self.said(server, "is not watched")), 1)

    def test_without_an_account_the_service_goes_on(self):
        api = self.cluster()
        (api.account / "token").unlink()
        server = self.pod(api)
        self.until("it is told", lambda: self.said(server, "there is no service account"))
        self.assertEqual(server.call("GET", "/health/ready")[2]["status"], "healthy")
        self.assertEqual(api.asked, [])

    def test_a_server_that_nobody_vouches_for_gets_no_token(self):
        api = self.cluster()
        other, _ = test_listener.make_certificate(self.folder, "other")
        (api.account / "ca.crt").write_bytes(other.read_bytes())
        server = self.pod(api)
        self.until("it is told", lambda: self.said(server, "cannot be reached"), 20)
        self.assertEqual(api.asked, [])
        self.assertNotIn(api.token, str(server.log))

    def test_an_end_does_not_wait_for_a_watch(self):
        api = self.cluster()
        server = self.pod(api)
        self.watched(api, server)
        code, took = server.stop()
        self.assertEqual(code, 0)
        self.assertLess(took, 5)


if __name__ == "__main__":
    unittest.main()
