"""`python -m classroom`: run the notebooks from tiles to a map."""

from classroom.notebooks import main

if __name__ == "__main__":
    main()
