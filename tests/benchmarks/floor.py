"""What a cold search cannot do without, in 25 lines: run by `cold` as a process of its own."""

import os

os.environ |= {"DEEPFACE_BACKEND_ENGINE": "onnx", "ORT_DISABLE_TELEMETRY": "1"}
import cv2
import numpy as np
import typer
from deepface.modules import modeling

EYES = np.array([[73.53, 51.5], [38.29, 51.7]], np.float32)
app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def search(photo: str, gallery: str) -> None:
    templates = np.load(gallery)
    sface = modeling.build_model("facial_recognition", "SFace")
    yunet = modeling.build_model("face_detector", "yunet")
    pixels = np.asarray(cv2.imread(photo))
    face = max(yunet.detect_faces(pixels), key=lambda one: one.w * one.h)
    eyes = np.array([face.left_eye, face.right_eye], np.float32)
    warp, _ = cv2.estimateAffinePartial2D(eyes, EYES)
    crop = cv2.warpAffine(pixels, np.asarray(warp), (112, 112))
    vector = np.ravel(sface.forward(crop[None] / 255.0))
    typer.echo(f"s{np.argmax(templates @ (vector / np.linalg.norm(vector)).astype(np.float32))}")


if __name__ == "__main__":
    app()
