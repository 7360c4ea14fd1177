"""The dock *Heights in 3D*: surfaces, profiles, meshes."""
