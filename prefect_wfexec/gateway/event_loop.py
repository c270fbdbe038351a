"""The event loop that the gateway runs in."""

import asyncio


def loop_factory() -> asyncio.AbstractEventLoop:
    """The quickest event loop there is: what a delivery costs is mostly its connection."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
