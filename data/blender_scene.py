"""Draw one scene with Blender, run by course_lib.dataset in a Python that has `bpy` (GPL-3.0):

    python blender_scene.py plan.json drawn.png

plan.json: size (px), ground (sRGB, 0 to 1), and things: picture (a PNG with alpha), x, y, size (shares of the picture),
turn (degrees).
Cycles on the CPU, 16 samples, one seed: the same plan gives the same picture.
"""

import json
import math
import sys

import bpy

WIDTH = 2.0  # of the square that the camera sees, in Blender's units
SAMPLES = 16


def linear(channel):
    """Turn an sRGB channel (0 to 1) into light, as Blender's colours are."""
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def new_material(name):
    """Start a material: itself, its nodes by name, and its links."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    return material, material.node_tree.nodes, material.node_tree.links


def add_wall(colour):
    """Put a wall of one colour behind everything."""
    bpy.ops.mesh.primitive_plane_add(size=20)
    material, nodes, _ = new_material("wall")
    nodes["Principled BSDF"].inputs["Base Color"].default_value = (*map(linear, colour), 1)
    nodes["Principled BSDF"].inputs["Roughness"].default_value = 1
    bpy.context.object.data.materials.append(material)


def add_cut_out(thing, height):
    """Put a picture in front of the wall; where it is transparent, light goes through."""
    bpy.ops.mesh.primitive_plane_add(
        size=WIDTH * thing["size"], rotation=(0, 0, -math.radians(thing["turn"])),
        location=(WIDTH * (thing["x"] - 0.5), WIDTH * (0.5 - thing["y"]), height))
    material, nodes, links = new_material("cut-out")
    picture = nodes.new("ShaderNodeTexImage")
    picture.image = bpy.data.images.load(thing["picture"])
    surface = nodes["Principled BSDF"]
    surface.inputs["Roughness"].default_value = 0.8
    links.new(picture.outputs["Color"], surface.inputs["Base Color"])
    links.new(picture.outputs["Alpha"], surface.inputs["Alpha"])
    bpy.context.object.data.materials.append(material)


def add_light_and_camera(scene):
    """Look straight at the wall; a sun from the upper left throws the shadows, the sky brightens them."""
    bpy.ops.object.light_add(type="SUN", rotation=(math.radians(-25), math.radians(-30), 0))
    bpy.context.object.data.energy = 2.5
    bpy.context.object.data.angle = math.radians(4)
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.55, 0.55, 0.55, 1)
    scene.world = world
    bpy.ops.object.camera_add(location=(0, 0, 10))
    camera = bpy.context.object
    camera.data.type, camera.data.ortho_scale = "ORTHO", WIDTH
    scene.camera = camera


def main():
    with open(sys.argv[1], encoding="utf-8") as content:
        plan = json.load(content)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    add_wall(plan["ground"])
    for number, thing in enumerate(plan["things"]):
        add_cut_out(thing, 0.12 + 0.02 * number)
    add_light_and_camera(scene)
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", SAMPLES, 0
    scene.cycles.use_denoising = False
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = plan["size"]
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGB"
    scene.render.filepath = sys.argv[2]
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main()
