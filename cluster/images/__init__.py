"""Container images without a container builder: root file systems of Debian's and PyPI's packages, packed as OCI archives.

What an image holds stands in :mod:`cluster.machines.image_files`, how its containers start in its build file in images/. The build files
run ``python -m cluster.images root`` of this package, so what a container builder makes of them is what is made here.
"""
