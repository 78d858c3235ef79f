"""The calls of gb-alpha, the vendor's package for Python: `python.py URL PLAYER EVENTS POINTS`."""

import json
import re
import sys
from datetime import datetime

import gameball
import gameball.constants
from gameball.exceptions.gameball_exception import GameballException

url, player, events, points = sys.argv[1:]
gameball.constants.api_base = f"{url}/api/v3.0/"
gameball.api_key, gameball.transaction_key = "demo-api-key", "demo-secret-key"


def expect(what, wanted, got):
    print(what, json.dumps(wanted, sort_keys=True), json.dumps(got, sort_keys=True), sep="\t")


def code_of(answer):
    """The code in what the client makes of a refusal. It returns the exception instead of raising it."""
    assert isinstance(answer, GameballException), answer
    return int(re.fullmatch(r".+ \(GameballException with error code (\d+)\)", str(answer))[1])


def is_id(answer):
    return list(answer) == ["gameballId"] and 0 < answer["gameballId"] < 2**53


attributes = gameball.playerAttributes(display_name="Jon Snow", tags="VIP", custom={"isMarried": False})
created = gameball.initialize_player(gameball.playerObject(player, attributes))
expect("initialize_player", True, is_id(created))
expect("initialize_player, again", created, gameball.initialize_player(gameball.playerObject(player, attributes)))

event = gameball.eventObject(player)
for name, metadata in json.loads(events).items():
    event.add_event(name, metadata)
expect("send_event", {}, gameball.send_event(event))
expect("send_event, again", {}, gameball.send_event(event))
expect("send_event, no events", {}, gameball.send_event(gameball.eventObject(player, events={})))


def send_order(paid):
    # As the client writes the present time where no date is given.
    date = gameball.utils.encode_date(datetime(2024, 10, 16, 8, 13, 29, 158000))
    line_items = [{"productId": "sku-1", "title": "Lamp", "quantity": 2}]
    return gameball.send_order(
        gameball.orderObject(player, "order-1", date, 120.5, paid, total_tax=20, line_items=line_items)
    )


placed = send_order(100.5)
wanted = {"playerUniqueId": player, "orderId": "order-1", "rewardedPoints": 0, "status": "completed"}
expect("send_order", wanted, {name: placed.get(name) for name in wanted})
expect("send_order, again", True, send_order(100.5) == placed)
expect("send_order, other content", 2002, code_of(send_order(99)))

totals = gameball.get_player_info(player, language=gameball.Languages.German)
expect("get_player_info", [player, int(points)], [totals["playerUniqueId"], totals["points"]])
expect("get_player_balance", int(points), gameball.get_player_balance(player)["pointsBalance"])
expect("get_player_info, unknown", 404, code_of(gameball.get_player_info("nobody")))

for key in "", "unknown":
    gameball.api_key = key
    expect(f"send_event, APIKey {key!r}", 1000, code_of(gameball.send_event(event)))
