from emoreason.cli import main

main()
