from swarmscope.app.demo.fleet import ROLES, Fleet


def test_fleet_is_large_enough_and_has_every_role():
    fleet = Fleet()
    assert len(fleet.agents) >= 40
    assert {agent.role.name for agent in fleet.agents} == {
        "planner", "researcher", "coder", "critic", "safety-monitor",
    }  # fmt: skip
    assert len({agent.name for agent in fleet.agents}) == len(fleet.agents)


def test_same_seed_same_story():
    first, second = Fleet(7), Fleet(7)
    assert [first.tick(1) for _ in range(50)] == [second.tick(1) for _ in range(50)]


def test_rates_and_costs_are_those_of_the_roles():
    fleet, seconds = Fleet(), 3600
    calls = {role.name: 0 for role in ROLES}
    cost_usd = 0.0
    for _ in range(seconds):
        for done in fleet.tick(1.0):
            calls[done.agent.role.name] += len(done.calls)
            cost_usd += sum(call.cost_usd for call in done.calls)
            assert sum(done.activities.values()) == len(done.calls)
            assert 0 < done.agent.memory_bytes <= done.agent.memory_limit_bytes
    for role in ROLES:
        expected = role.calls_per_minute * role.agents * 60
        assert 0.8 * expected < calls[role.name] < 1.2 * expected, role.name
    assert cost_usd > 0


def test_a_stalled_agents_queue_grows():
    fleet = Fleet()
    longest = 0
    for _ in range(900):
        fleet.tick(1.0)
        longest = max([longest, *(agent.queue for agent in fleet.agents if agent.is_stalled)])
    assert longest > 5
