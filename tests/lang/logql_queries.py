"""Queries of our own, good and bad, from the documentation's rules."""

# Stages that stand in any pipeline.
STAGES = r"""
|= "error"
|= `error`
!= "timeout"
|~ "tsdb-ops.*io:2003"
!~ `error=\w+`
|> "<_> took <_>"
!> "<_> debug <_>"
|= "a" or "b"
|= "a" or "b" or `c`
!= "a" or "b"
|~ "a.*" or "b.+"
|= "error" != "timeout"
|= ip("192.168.4.5/16")
!= ip("192.168.4.5-192.168.4.20")
|= ip("2001:db8::/32")
|= ip("::1")
|= "with \"quotes\" and \\ inside"
|= ""
| json
| json servers
| json first_server="servers[0]", ua="request.headers[\"User-Agent\"]"
| json a, b="c.d"
| logfmt
| logfmt host, fwd_ip="fwd"
| logfmt --strict
| logfmt --keep-empty
| logfmt --keep-empty --strict host
| logfmt --strict host, fwd_ip="fwd"
| regexp "(?P<method>\\w+) (?P<path>[\\w|/]+) \\((?P<status>\\d+?)\\) (?P<duration>.*)"
| regexp `(?P<x>\d+)`
| pattern `<ip> - - <_> "<method> <uri> <_>" <status> <size> <_> "<agent>" <_>`
| pattern "<_> msg=\"<method> <path> (<status>) <latency>\""
| unpack
| unpack | json
| decolorize
| line_format "{{.query}} {{.duration}}"
| line_format `{{.ip}} {{.status}} {{div .duration 1000}}`
| line_format `{{ .path | replace " " "_" | trunc 5 | upper }}`
| label_format foo=bar
| label_format foo=bar, baz="{{.status}} {{.query}}"
| label_format foo=bar | label_format foo="new"
| drop level
| drop level, method="GET"
| drop level, path, app=~"some-api.*"
| drop __error__
| drop a!="b", c!~"d"
| keep level
| keep level, method="GET"
| keep level, tenant, app=~"some-api.*"
| level="error"
| level!="error"
| level=~"err.*"
| level!~`err.*`
| status=200
| status==200
| status!=200
| status>400
| status>=400
| status<500
| status<=499.5
| ratio>.5
| ratio<1e-3
| status>-1
| duration>10s
| duration>=20ms
| duration<1h30m
| duration==2h45m
| duration!=300ms
| duration=1m
| duration>1.5h
| age>1d
| size>20MB
| size>=20KB
| size<1GB
| size<=42KiB
| size==1B
| size!=5MiB
| addr=ip("192.168.4.5/16")
| addr!=ip("192.168.4.2")
| addr=ip("192.168.0.1-192.189.10.12") or addr=ip("10.10.15.0/24")
| a="1" and b="2"
| a="1" or b="2"
| a="1", b="2"
| a="1" or b="2" and c="3"
| (a="1" or b="2") and c="3"
| duration>=20ms or size==20KB and method!~"2.."
| duration>=20ms or (method="GET" and size<=20KB)
| ((duration>=20ms or method="GET") and size<=20KB)
| duration>=20ms or size==20KB | method!~"2.."
| duration>=20ms or size==20KB, method!~"2.."
| (a="1")
| __error__=""
| __error__!="JSONParserErr"
| json | logfmt | level="error" | line_format "{{.msg}}" | label_format x=y
| json | duration>10s and throughput_mb<500
| json # a comment to the end of the line
| sum="1"
| rate>1
| count_over_time>1
""".strip().splitlines()

METRICS = r"""
rate({app="x"}[5m])
rate({app="x"}[5m] offset 1h)
rate({app="x"}[5m] offset -1h)
rate({app="x"}[1h30m])
rate({app="x"}[1d])
rate({app="x"}[1w])
rate({app="x"} |= "a" [30s])
rate(({app="x"} |= "a")[30s])
rate({app="x"}[30s] |= "a")
rate({app="x"}[30s] | json | level="a")
count_over_time({app="x"}[1m])
bytes_rate({app="x"}[1m])
bytes_over_time({app="x"}[1m])
absent_over_time({app="x"}[1m])
absent_over_time({app="x"} | unwrap x [1m])
rate({app="x"} | logfmt | unwrap bytes_sent [1m])
rate_counter({app="x"} | logfmt | unwrap requests [1m])
sum_over_time({app="x"} | unwrap x [1m])
avg_over_time({app="x"} | unwrap x [1m])
max_over_time({app="x"} | unwrap x [1m])
min_over_time({app="x"} | unwrap x [1m])
first_over_time({app="x"} | unwrap x [1m])
last_over_time({app="x"} | unwrap x [1m])
stdvar_over_time({app="x"} | unwrap x [1m])
stddev_over_time({app="x"} | unwrap x [1m])
quantile_over_time(0.99, {app="x"} | unwrap x [1m])
quantile_over_time(.5, {app="x"} | unwrap x [1m]) by (host)
quantile_over_time(1, {app="x"} | unwrap x [1m]) without (host, pod)
avg_over_time({app="x"} | unwrap x [1m]) by (host)
avg_over_time({app="x"} | unwrap x [1m]) without (host)
max_over_time({app="x"} | unwrap x [1m]) by ()
sum_over_time({app="x"} | json | unwrap duration(took) [1m])
sum_over_time({app="x"} | json | unwrap duration_seconds(took) [1m])
sum_over_time({app="x"} | json | unwrap bytes(size) [1m])
sum_over_time({app="x"} | json | unwrap bytes(size) | __error__="" [1m])
sum_over_time({app="x"} | json | unwrap size | __error__="" | size>5 [1m] offset 5m)
sum_over_time({app="x"}[1m] | json | unwrap size)
sum_over_time({app="x"}[1m] offset 5m | json | unwrap size)
sum(rate({app="x"}[5m]))
sum by (level) (rate({app="x"}[5m]))
sum(rate({app="x"}[5m])) by (level)
sum by (level, pod) (rate({app="x"}[5m]))
sum without (level) (rate({app="x"}[5m]))
sum by () (rate({app="x"}[5m]))
avg(rate({app="x"}[5m]))
min(rate({app="x"}[5m]))
max(rate({app="x"}[5m]))
count(rate({app="x"}[5m]))
stddev(rate({app="x"}[5m]))
stdvar(rate({app="x"}[5m]))
topk(10, rate({app="x"}[5m]))
topk(10, sum(rate({app="x"}[5m])) by (name))
topk by (name) (10, rate({app="x"}[5m]))
topk(10, rate({app="x"}[5m])) by (name)
bottomk(3, rate({app="x"}[5m]))
approx_topk(3, sum by (name) (rate({app="x"}[5m])))
sort(rate({app="x"}[5m]))
sort_desc(sum by (a) (rate({app="x"}[5m])))
vector(1)
vector(0.5)
vector(1)+vector(1)
1 + 1
-1
+2
1 - -1
2 ^ 3 ^ 2
(1 + 2) * 3
0x1f
1e3
sum(rate({app="x"}[5m])) / sum(rate({app="y"}[5m]))
rate({app="x"}[5m]) * 100
100 * rate({app="x"}[5m])
rate({app="x"}[5m]) % 7
rate({app="x"}[5m]) > 5
rate({app="x"}[5m]) >= bool 5
rate({app="x"}[5m]) == 1
rate({app="x"}[5m]) != 1
rate({app="x"}[5m]) < 1
rate({app="x"}[5m]) <= 1
rate({app="x"}[5m]) and rate({app="y"}[5m])
rate({app="x"}[5m]) or rate({app="y"}[5m])
rate({app="x"}[5m]) unless rate({app="y"}[5m])
sum(count_over_time({app="x"}[5m])) or vector(0)
rate({app="x"}[5m]) / on (a) rate({app="y"}[5m])
rate({app="x"}[5m]) / on (a, b) rate({app="y"}[5m])
rate({app="x"}[5m]) / on () rate({app="y"}[5m])
rate({app="x"}[5m]) / ignoring (a) rate({app="y"}[5m])
rate({app="x"}[5m]) / on (a) group_left rate({app="y"}[5m])
rate({app="x"}[5m]) / on (a) group_left () rate({app="y"}[5m])
rate({app="x"}[5m]) / on (a) group_left (b) rate({app="y"}[5m])
rate({app="x"}[5m]) / ignoring (a) group_right (b, c) rate({app="y"}[5m])
rate({app="x"}[5m]) > bool on (a) group_left (b) rate({app="y"}[5m])
label_replace(rate({app="x"}[5m]), "foo", "$1", "service", "(.*):.*")
label_replace(vector(1), "a", "b", "", "")
sum by (a) (label_replace(rate({app="x"}[5m]), "a", "$1", "b", "(.*)"))
SUM(RATE({app="x"}[5m])) BY (a)
""".strip().splitlines()

SELECTORS = r"""
{app="mysql",name="mysql-backup"}
{ app = "mysql" , name = "mysql-backup" }
{name =~ "mysql.+"}
{app="x", name !~ "mysql.+"}
{app="x", name !~ `mysql-\d+`}
{app="x", name != "a"}
({app="x"})
{_a9="x"}
{sum="x"}
{by="x"}
""".strip().splitlines()

BROKEN = [
    "",
    " ",
    "# nothing but a comment",
    *r"""
{app="x"
app="x"}
{app=x}
{app="x",}
{app="x" name="y"}
{app='x'}
{"app"="x"}
{app=="x"}
{app>"x"}
{9a="x"}
{app="x"}}
{app="x"} |
{app="x"} | |
{app="x"} |=
{app="x"} |= error
{app="x"} = "error"
{app="x"} |! "error"
{app="x"} |= "a" or
{app="x"} |= "a" and "b"
{app="x"} |= ip()
{app="x"} |= ip(1)
{app="x"} | json a=b
{app="x"} | json a=
{app="x"} | json a,
{app="x"} | regexp
{app="x"} | regexp foo
{app="x"} | pattern
{app="x"} | unpack "x"
{app="x"} | line_format
{app="x"} | line_format x
{app="x"} | label_format
{app="x"} | label_format a
{app="x"} | label_format a=
{app="x"} | label_format a="b",
{app="x"} | label_format a=1
{app="x"} | drop
{app="x"} | keep
{app="x"} | drop a=1
{app="x"} | keep a,
{app="x"} | decolorize a
{app="x"} | status
{app="x"} | status=
{app="x"} | status>"a"
{app="x"} | status=abc
{app="x"} | status=>5
{app="x"} | a="1" and
{app="x"} | a="1" or
{app="x"} | (a="1"
{app="x"} | a="1")
{app="x"} | and b="1"
{app="x"} | a=~5
{app="x"} | a=~ip("1.1.1.1")
{app="x"} | a>ip("1.1.1.1")
{app="x"}[5m]
{app="x"} + {app="y"} +
{app="x"} | unwrap
{app="x"} foo
rate({app="x"})
rate({app="x"}[5])
rate({app="x"}[m])
rate({app="x"}[5m)
rate({app="x"}[5m]
rate({app="x"}[5m:1m])
rate({app="x"}[])
rate({app="x"} offset 5m [5m])
rate({app="x"}[5m] offset)
rate({app="x"}[5m] offset 5)
rate({app="x"}[5m]) offset 5m
rate(5m)
rate()
rate
foo({app="x"}[5m])
sum()
sum(
sum({app="x"}
sum by level (rate({app="x"}[5m]))
sum by (level (rate({app="x"}[5m]))
sum by ("level") (rate({app="x"}[5m]))
sum by (a) by (b) (rate({app="x"}[5m]))
sum of (rate({app="x"}[5m]))
topk(, rate({app="x"}[5m]))
topk("a", rate({app="x"}[5m]))
vector()
vector("1")
vector(rate({app="x"}[5m]))
1 +
+ + 1
* 2
1 2
rate({app="x"}[5m]) rate({app="x"}[5m])
rate({app="x"}[5m]) on (a) rate({app="y"}[5m])
rate({app="x"}[5m]) / on a rate({app="y"}[5m])
rate({app="x"}[5m]) / group_left (a) rate({app="y"}[5m])
rate({app="x"}[5m]) xor rate({app="y"}[5m])
label_replace(rate({app="x"}[5m]))
label_replace(rate({app="x"}[5m]), "a", "b", "c")
label_replace(rate({app="x"}[5m]), a, b, c, d)
()
(
)
"x"
5m
""".strip().splitlines(),
]
