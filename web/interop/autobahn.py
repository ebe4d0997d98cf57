"""Runs the case files of the Autobahn test suite against the server and the client of Squall.

Usage: autobahn.py PROGRAMS REPORTS [CASE..]

PROGRAMS is the folder with `echo_server` and `client`; REPORTS receives a page for each case. The
runner is the package `kosoku`, which runs the case files of Autobahn 0.8.2 on Python 3. Each case
must end as OK or INFORMATIONAL, and a case that ends as NON-STRICT is listed.
"""

import asyncio
import collections
import pathlib
import sys

import kosoku
from kosoku._report import write_reports

PORT = 18090


async def test_server(programs, cases):
    server = await asyncio.create_subprocess_exec(programs / "echo_server", str(PORT))
    await asyncio.sleep(1)
    try:
        return await kosoku.run_fuzzingclient(f"127.0.0.1:{PORT}", cases, None, concurrency=2)
    finally:
        server.terminate()
        await server.wait()


async def test_client(programs, cases):
    async with kosoku.run_fuzzingserver(cases, None, host="127.0.0.1", port=PORT + 1) as server:
        client = await asyncio.create_subprocess_exec(
            programs / "client", "autobahn", f"127.0.0.1:{PORT + 1}"
        )
        results = await server.get_result()
        await client.wait()
        return results


def report(side, results, folder):
    write_reports(results, str(folder / side))
    ends = collections.Counter(result.behavior.value for result in results)
    closes = collections.Counter(result.behavior_close.value for result in results)
    print(f"{side}: {len(results)} cases; {dict(ends)}; closing handshakes {dict(closes)}")
    for result in results:
        if result.behavior.value not in ("OK", "INFORMATIONAL"):
            print(f"  {result.case_id}: {result.behavior.value}: {result.description[:100]}")
    return all(result.behavior.value in ("OK", "INFORMATIONAL", "NON-STRICT") for result in results)


async def main():
    programs, folder = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    cases = sys.argv[3:] or None
    good = True
    for side, test in [("server", test_server), ("client", test_client)]:
        try:
            results = await test(programs, cases)
        except kosoku.FailureError as failure:
            print(failure)
            results = failure.results
            good = False
        good &= report(side, results, folder)
    sys.exit(0 if good else 1)


asyncio.run(main())
