"""Ask who is in a photo, from another program: python examples/ask.py PHOTO CASE"""

import json
import subprocess
import sys

command = ["fr", "--json", "identify", sys.argv[1], "--case", sys.argv[2], "--reason", "test"]
done = subprocess.run(command, capture_output=True, text=True)
if done.returncode:  # not searched: 20 to 23 for the photo, the others for the desk
    trouble = json.loads(done.stderr)
    sys.exit(f"{trouble['message']} {trouble['hint']}")
answer = json.loads(done.stdout)
print(answer["outcome"], "-", answer["why"])
for one in answer["candidates"]:
    print(f"{one['rank']}. {one['subject_id']}, score {one['score']:.2f}")
