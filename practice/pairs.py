import sys; sys.path.insert(0, "/work/practice/course")
import random
from course_lib import emoji
rng = random.Random("kept pairs"); slugs = sorted(emoji.subjects()); rng.shuffle(slugs)
KEPT = {(s, emoji.BASE_STYLES[i % 5]) for i, s in enumerate(slugs[:24])}
if __name__ == "__main__":
    for p in sorted(KEPT, key=lambda p: p[1]): print(p)
