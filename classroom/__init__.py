"""What runs the course and makes no map: profiles, catching up, checks, Colab, publishing."""

import os

# TensorFlow's start-up lines are no news to a learner; whoever wants them sets this variable.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
