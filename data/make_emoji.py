"""Draw the course's pictures again: 64 subjects x 4 styles -> data/emoji/<style>/<subject>.png and subjects.json.

The vector sources of three styles are kept beside them, data/emoji/svg/<style>/<subject>.svg, for
course_lib.dataset.

    python data/make_emoji.py            # needs npm (downloads five packages, 135 MB unpacked) and pip install resvg-py

The npm registry carries the picture sets as Iconify JSON (one SVG body a picture); resvg draws them. Takes about
10 seconds after the download; the same versions give the same bytes.
"""

import argparse
import io
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import resvg_py
from PIL import Image

HERE = Path(__file__).parent
SIZE = 128  # px; a composed picture is 96 px: every subject is drawn larger than it is needed

# style in this course -> (npm package, its version)
SETS = {
    "noto": ("@iconify-json/noto", "1.2.9"),
    "flat": ("@iconify-json/fluent-emoji-flat", "1.2.6"),
    "3d": ("@iconify-json/fluent-emoji", "1.2.7"),
    "lineart": ("@iconify-json/fluent-emoji-high-contrast", "1.2.6"),
}
VECTORS = ("noto", "flat", "lineart")  # the 3d set holds pixels in an SVG's clothes
NAMES = ("emojibase-data", "17.0.0")

# CLDR slug | group | zh measure word | zh names, the first is the usual one | en names, the first is the usual one.
# emojibase gives the formal label of each (kept as label_zh, label_en); the everyday words are proof-read by hand.
SUBJECTS = """
lady-beetle|animal|只|瓢虫 七星瓢虫 小瓢虫|ladybird, ladybug, lady beetle
dog-face|animal|只|小狗 狗 狗狗|dog, puppy
cat-face|animal|只|小猫 猫 猫咪|cat, kitten
rabbit-face|animal|只|兔子 小兔子 小白兔|rabbit, bunny
panda|animal|只|熊猫 大熊猫|panda, panda bear
lion|animal|头|狮子 雄狮|lion
pig-face|animal|头|小猪 猪|pig, piglet
frog|animal|只|青蛙 小青蛙|frog
front-facing-baby-chick|animal|只|小鸡 小黄鸡|chick, baby chick
penguin|animal|只|企鹅 小企鹅|penguin
owl|animal|只|猫头鹰|owl
duck|animal|只|鸭子 小鸭子|duck
dolphin|animal|只|海豚 小海豚|dolphin
tropical-fish|animal|条|热带鱼 鱼 小鱼|tropical fish, fish
octopus|animal|只|章鱼 八爪鱼|octopus
turtle|animal|只|乌龟 小乌龟|turtle, tortoise
butterfly|animal|只|蝴蝶|butterfly
honeybee|animal|只|蜜蜂 小蜜蜂|bee, honeybee
snail|animal|只|蜗牛 小蜗牛|snail
crab|animal|只|螃蟹|crab
elephant|animal|头|大象 小象|elephant
rose|plant|朵|玫瑰 玫瑰花|rose
sunflower|plant|朵|向日葵|sunflower
cactus|plant|棵|仙人掌|cactus
palm-tree|plant|棵|棕榈树 椰子树|palm tree, palm
evergreen-tree|plant|棵|松树|pine tree, evergreen tree
maple-leaf|plant|片|枫叶|maple leaf
mushroom|plant|朵|蘑菇|mushroom
red-apple|food|个|苹果 红苹果|apple, red apple
banana|food|根|香蕉|banana
watermelon|food|块|西瓜|watermelon, slice of watermelon
grapes|food|串|葡萄|grapes, bunch of grapes
strawberry|food|颗|草莓|strawberry
lemon|food|个|柠檬|lemon
tangerine|food|个|橘子 桔子 橙子|tangerine, mandarin orange
pineapple|food|个|菠萝 凤梨|pineapple
cherries|food|颗|樱桃|cherries, cherry
carrot|food|根|胡萝卜|carrot
ear-of-corn|food|根|玉米|corn, ear of corn
pizza|food|块|披萨 比萨|pizza, slice of pizza
hamburger|food|个|汉堡 汉堡包|hamburger, burger
doughnut|food|个|甜甜圈|doughnut, donut
soft-ice-cream|food|支|冰淇淋 冰激凌|ice cream, soft ice cream
birthday-cake|food|个|蛋糕 生日蛋糕|cake, birthday cake
hot-beverage|food|杯|咖啡 热咖啡|coffee, cup of coffee
automobile|vehicle|辆|汽车 小汽车 轿车|car, automobile
bus|vehicle|辆|公交车 巴士 公共汽车|bus
bicycle|vehicle|辆|自行车 单车|bicycle, bike
airplane|vehicle|架|飞机|airplane, plane, aeroplane
rocket|vehicle|枚|火箭|rocket
sailboat|vehicle|艘|帆船|sailboat, sailing boat
house|thing|座|房子 小房子|house
umbrella|thing|把|雨伞 伞|umbrella
balloon|thing|个|气球|balloon
guitar|thing|把|吉他 电吉他|guitar
alarm-clock|thing|个|闹钟|alarm clock, clock
key|thing|把|钥匙|key
soccer-ball|thing|个|足球|soccer ball, football
crown|thing|顶|皇冠 王冠|crown
wrapped-gift|thing|份|礼物 礼盒|gift, present
star|thing|颗|星星 五角星|star
red-heart|thing|颗|爱心 红心|heart, red heart
crescent-moon|thing|个|月亮 弯月 月牙|moon, crescent moon
rainbow|thing|道|彩虹|rainbow
""".strip().splitlines()


def fetch_packages(folder: Path) -> Path:
    """Download the npm packages into `folder` and return its node_modules."""
    packages = [f"{name}@{version}" for name, version in [*SETS.values(), NAMES]]
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, *packages],
                   check=True, stdout=subprocess.DEVNULL)
    return folder / "node_modules"


def write_svg(icons: dict, slug: str) -> str:
    """Write one picture as an SVG file's text; one that is not square is centred on a square view box."""
    body = icons["icons"].get(slug) or icons["icons"][icons["aliases"][slug]["parent"]]
    width = body.get("width", icons.get("width", 16))
    height = body.get("height", icons.get("height", 16))
    side = max(width, height)
    left = body.get("left", 0) - (side - width) / 2
    top = body.get("top", 0) - (side - height) / 2
    return (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{left} {top} {side} {side}" width="{SIZE}" height="{SIZE}">'
            f'{body["body"].replace("currentColor", "#000")}</svg>')


def draw(svg: str) -> Image.Image:
    """Draw one picture, RGBA, SIZE x SIZE px."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIZE, height=SIZE))
    return Image.open(io.BytesIO(png)).convert("RGBA")


def read_subjects(names: Path) -> list[dict]:
    """Join the proof-read table with emojibase's labels and code points."""
    english = {entry["label"].lower().replace(" ", "-"): entry
               for entry in json.loads((names / "en/data.json").read_text(encoding="utf-8"))}
    chinese = {entry["hexcode"]: entry for entry in json.loads((names / "zh/data.json").read_text(encoding="utf-8"))}
    subjects = []
    for line in SUBJECTS:
        slug, group, measure, zh, en = line.split("|")
        entry = english[slug]
        subjects.append({"slug": slug, "hexcode": entry["hexcode"], "group": group, "measure": measure,
                         "zh": zh.split(), "en": en.split(", "),
                         "label_zh": chinese[entry["hexcode"]]["label"], "label_en": entry["label"]})
    return subjects


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node-modules", type=Path, help="packages that are already there, instead of a download")
    parser.add_argument("--out", type=Path, default=HERE / "emoji")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        modules = arguments.node_modules or fetch_packages(Path(folder))
        subjects = read_subjects(modules / NAMES[0])
        for style, (package, version) in SETS.items():
            found = json.loads((modules / package / "package.json").read_text(encoding="utf-8"))["version"]
            if found != version:
                raise SystemExit(f"{package}: version {found} is here, {version} is wanted")
            icons = json.loads((modules / package / "icons.json").read_text(encoding="utf-8"))
            for before in (arguments.out / style, arguments.out / "svg" / style):
                shutil.rmtree(before, ignore_errors=True)
            (arguments.out / style).mkdir(parents=True)
            for slug in (subject["slug"] for subject in subjects):
                svg = write_svg(icons, slug)
                draw(svg).save(arguments.out / style / f"{slug}.png", optimize=True)
                if style in VECTORS:
                    (arguments.out / "svg" / style).mkdir(parents=True, exist_ok=True)
                    (arguments.out / "svg" / style / f"{slug}.svg").write_text(svg + "\n", encoding="utf-8")
    text = "[\n" + ",\n".join(json.dumps(subject, ensure_ascii=False) for subject in subjects) + "\n]\n"
    (arguments.out / "subjects.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
