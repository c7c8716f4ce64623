print("cpt")
