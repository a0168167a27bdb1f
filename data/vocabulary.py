"""What the store sells: lines of products, each with the choices that a buyer has.

All of it is made up. A line's name and SKU are templates over its choices; every combination is one good. A choice is
written `text` or `text=CODE`, where CODE stands for it in the SKU; `{n}` in an SKU is a running number.
"""

from typing import NamedTuple


class Line(NamedTuple):
    """One line of products. `low` and `high` bound its prices; `note` is its description, a template like the name."""

    category: str
    name: str
    sku: str
    choices: dict[str, str]  # choices separated by " | ", from the cheapest to the dearest
    low: str
    high: str
    note: str


LINES: tuple[Line, ...] = (
    # Lighting
    Line("Lighting", "White metal lantern, {size}", "LAN-{n}", {"size": "small | medium | large"}, "8.99", "21.99", "Powder-coated, with a glass door and a handle; takes a pillar candle."),
    Line("Lighting", "Storm lantern, {finish}", "LAN-{n}", {"finish": "galvanised | red | green | black | brass"}, "17.90", "34.90", "Burns lamp oil for about twenty hours; the globe lifts for lighting."),
    Line("Lighting", "Hanging garden lantern, {shape}", "LAN-{n}", {"shape": "round | square | hexagonal | moroccan style"}, "12.50", "26.50", "For balcony or tree; chain and hook come with it."),
    Line("Lighting", "Paper lantern {size}, {colour}", "LAN-{n}", {"size": "30 cm | 45 cm | 60 cm", "colour": "white | cream | coral | sage"}, "2.99", "8.49", "Folds flat; wire frame included."),
    Line("Lighting", "Camping lantern LED, {power}", "LAN-{n}", {"power": "200 lumen | 400 lumen | 800 lumen"}, "14.99", "39.99", "Runs on three D cells, with a hook on top and a night light."),
    Line("Lighting", "LED bulb {cap}, {power}, {tone}", "LED-{cap}-{power}-{tone}", {"cap": "E14=E14 | E27=E27 | GU10=GU10", "power": "4 W=4 | 6 W=6 | 9 W=9", "tone": "warm white=W | neutral white=N"}, "2.29", "6.99", "{tone}, not dimmable, about fifteen thousand hours."),
    Line("Lighting", "Desk lamp {style}, {colour}", "LMP-{n}", {"style": "Nora | Tilde", "colour": "white | black | petrol"}, "24.90", "49.90", "Jointed arm and a weighted foot; takes an E14 bulb."),
    Line("Lighting", "Head torch, {power}", "TRC-{n}", {"power": "120 lumen | 300 lumen | 600 lumen, rechargeable"}, "9.99", "34.99", "Tilting head, red light for the night, strap that washes."),
    Line("Lighting", "Pocket torch, aluminium, {length}", "TRC-{n}", {"length": "9 cm | 13 cm | 16 cm"}, "6.49", "15.99", "Splash-proof, with a wrist strap."),
    # Candles
    Line("Candles", "Pillar candle {height}, {colour}", "CAN-P{height}-{n}", {"height": "8 cm=08 | 12 cm=12 | 15 cm=15", "colour": "ivory | white | bordeaux | sage | honey"}, "1.99", "5.99", "Through-dyed, burns without dripping out of the draught."),
    Line("Candles", "Tea lights, {hours}, pack of {pack}", "CAN-T{hours}-{pack}", {"hours": "4 hours=4 | 8 hours=8", "pack": "10 | 50 | 100"}, "1.49", "11.99", "Unscented, in aluminium cups."),
    Line("Candles", "Scented candle in glass, {scent}", "CAN-{n}", {"scent": "vanilla | cedar | fig | lavender | orange and clove | sea salt"}, "4.99", "9.99", "Burns for about thirty hours; the glass can be used again."),
    Line("Candles", "Dinner candles, set of 4, {colour}", "CAN-{n}", {"colour": "ivory | white | bordeaux | dark green | navy"}, "3.49", "4.49", "24 cm tall, fit standard holders."),
    # Screws and fixings
    Line("Screws", "Wood screws {size} mm, countersunk, {pack} pieces", "SCR-{size}-{pack}", {"size": "3 × 16=3X16 | 3 × 25=3X25 | 3.5 × 30=35X30 | 4 × 30=4X30 | 4 × 40=4X40 | 4 × 50=4X50 | 5 × 50=5X50 | 5 × 60=5X60 | 5 × 80=5X80 | 6 × 100=6X100", "pack": "50 | 100 | 200"}, "2.49", "18.90", "Yellow zinc-plated, star drive, partial thread from 40 mm."),
    Line("Screws", "Decking screws {size} mm, stainless, {pack} pieces", "SCD-{size}-{pack}", {"size": "5 × 50=5X50 | 5 × 60=5X60 | 5 × 70=5X70", "pack": "100 | 250"}, "14.90", "44.90", "A2 stainless steel with a drilling tip; no pre-drilling in softwood."),
    Line("Screws", "Drywall screws {size} mm, {pack} pieces", "SCG-{size}-{pack}", {"size": "3.5 × 25=25 | 3.5 × 35=35 | 3.5 × 45=45", "pack": "200 | 500 | 1000"}, "3.99", "17.99", "Phosphated, fine thread for metal studs."),
    Line("Fixings", "Hex bolt {thread}, {length}", "BLT-{thread}-{length}", {"thread": "1/4 inch=1/4 | 5/16 inch=5/16 | 3/8 inch=3/8", "length": "1 inch=1 | 2 inch=2 | 3 inch=3"}, "0.35", "1.95", "Grade 5, zinc-plated, with coarse thread; sold singly."),
    Line("Fixings", "Machine screw M{thread} × {length}, 20 pieces", "MSC-M{thread}-{length}", {"thread": "3 | 4 | 5 | 6", "length": "10 mm=10 | 20 mm=20 | 30 mm=30"}, "1.99", "5.49", "Zinc-plated with nut and washer, pan head."),
    Line("Fixings", "Wall plugs {size}, {pack} pieces", "PLG-{size}-{pack}", {"size": "5 mm=5 | 6 mm=6 | 8 mm=8 | 10 mm=10", "pack": "25 | 100"}, "1.79", "11.49", "Nylon, for concrete, brick and aerated block."),
    Line("Fixings", "Picture hooks, {kind}, 10 pieces", "HOK-{n}", {"kind": "one nail | two nails | three nails"}, "1.49", "2.99", "Brass-plated, with hardened nails."),
    Line("Fixings", "Cable ties {length}, {colour}, 100 pieces", "TIE-{length}-{colour}", {"length": "100 mm=100 | 200 mm=200 | 300 mm=300", "colour": "natural=N | black=B"}, "1.99", "6.99", "Polyamide; the black ones stand sunlight."),
    # Hinges, locks
    Line("Hinges and brackets", "Butt hinge {size}, {finish}", "HNG-{size}-{finish}", {"size": "40 mm=40 | 60 mm=60 | 80 mm=80 | 100 mm=100", "finish": "zinc=Z | stainless=S | brass=B"}, "0.99", "7.49", "Fixed pin, countersunk holes; sold singly."),
    Line("Hinges and brackets", "Shelf bracket {depth}, {colour}", "BRK-{depth}-{colour}", {"depth": "15 cm=15 | 20 cm=20 | 25 cm=25 | 30 cm=30", "colour": "white=W | black=K | raw steel=R"}, "1.99", "8.99", "Carries up to 40 kg a pair in solid wall."),
    Line("Locks", "Padlock, {body}, {width}", "PAD-{body}-{width}", {"body": "brass=B | steel=S", "width": "20 mm=20 | 30 mm=30 | 40 mm=40 | 50 mm=50"}, "4.49", "22.90", "Hardened shackle, two keys."),
    Line("Locks", "Cylinder {size} mm with three keys", "CYL-{n}", {"size": "30/30 | 30/35 | 35/35 | 40/40"}, "14.90", "24.90", "Nickel-plated, with drilling protection; screws included."),
    Line("Locks", "Bicycle lock, {kind}", "BLK-{n}", {"kind": "cable 80 cm | chain 90 cm | folding 85 cm | U-lock 23 cm"}, "8.99", "54.90", "Two keys and a holder for the frame."),
    # Hand tools
    Line("Hand tools", "Claw hammer {weight}, {handle} handle", "HAM-{n}", {"weight": "450 g | 570 g", "handle": "ash | fibreglass | steel"}, "9.90", "24.90", "Forged head with a magnetic nail holder."),
    Line("Hand tools", "Screwdriver {tip}", "SDR-{n}", {"tip": "slotted 3 mm | slotted 5.5 mm | slotted 8 mm | PH1 | PH2 | PH3 | PZ1 | PZ2 | TX15 | TX20 | TX25"}, "3.49", "7.99", "Two-part grip, hardened blade to the tip."),
    Line("Hand tools", "Combination pliers {size}", "PLR-{n}", {"size": "160 mm | 180 mm | 200 mm"}, "11.90", "19.90", "Induction-hardened edges, dipped grips."),
    Line("Hand tools", "Spanner {size} mm", "SPN-{size}", {"size": "8 | 10 | 11 | 13 | 15 | 17 | 19 | 22"}, "2.99", "9.99", "Open end and ring, chrome vanadium."),
    Line("Hand tools", "Handsaw {length}, {teeth} teeth", "SAW-{n}", {"length": "400 mm | 500 mm | 550 mm", "teeth": "fine | coarse"}, "9.99", "21.90", "Hardened teeth, handle with 45 and 90 degree marks."),
    Line("Hand tools", "Tape measure {length}", "TAP-{length}", {"length": "3 m=3 | 5 m=5 | 8 m=8 | 10 m=10"}, "3.99", "16.90", "Lockable, belt clip, accuracy class II."),
    Line("Hand tools", "Spirit level {length}", "LVL-{length}", {"length": "40 cm=40 | 60 cm=60 | 100 cm=100 | 120 cm=120"}, "9.90", "34.90", "Aluminium profile, two vials."),
    Line("Hand tools", "Utility knife, {kind}", "KNF-{n}", {"kind": "9 mm | 18 mm | 25 mm | retractable"}, "1.99", "9.90", "Snap-off blades can be changed without a tool."),
    # Power tool accessories
    Line("Drill bits", "Masonry drill bit {size} mm", "DRM-{size}", {"size": "4 | 5 | 6 | 8 | 10 | 12"}, "1.49", "5.99", "Carbide tip, for hammer drills."),
    Line("Drill bits", "Wood drill bit {size} mm", "DRW-{size}", {"size": "3 | 4 | 5 | 6 | 8 | 10 | 12"}, "1.29", "4.99", "With a centring point and two cutters."),
    Line("Drill bits", "Steel drill bit {size} mm, HSS", "DRS-{size}", {"size": "1.5=015 | 2=020 | 2.5=025 | 3=030 | 4=040 | 5=050 | 6=060 | 8=080"}, "0.99", "6.49", "Ground from high speed steel."),
    Line("Abrasives", "Sandpaper grit {grit}, 10 sheets", "SND-{grit}", {"grit": "40 | 60 | 80 | 120 | 180 | 240"}, "3.49", "4.99", "23 × 28 cm, for wood, filler and paint."),
    Line("Abrasives", "Sanding discs 125 mm, grit {grit}, {pack} pieces", "SDD-{grit}-{pack}", {"grit": "60 | 80 | 120 | 180", "pack": "10 | 50"}, "3.99", "16.90", "Hook and loop, eight holes."),
    # Paint
    Line("Paint", "Wall paint {colour}, {size}", "PNT-W{size}-{n}", {"size": "1 l=1 | 2.5 l=25 | 5 l=5 | 10 l=10", "colour": "white | chalk | sand | pale grey | sage"}, "8.90", "54.90", "Matt, washable, covers about 7 m² a litre."),
    Line("Paint", "Enamel paint {colour}, {sheen}, {size}", "PNT-E{size}-{n}", {"size": "375 ml=375 | 750 ml=750", "colour": "white | black | anthracite | fire red | gentian blue", "sheen": "gloss | satin"}, "7.90", "19.90", "For wood and metal, inside and out; water-based."),
    Line("Paint", "Wood oil {tone}, {size}", "OIL-{n}", {"size": "750 ml | 2.5 l", "tone": "clear | teak | larch | walnut"}, "12.90", "36.90", "For terraces and garden furniture; renew each spring."),
    Line("Paint", "Flat brush {width} mm", "BRS-{width}", {"width": "20 | 30 | 40 | 50 | 70 | 100"}, "1.49", "8.90", "Mixed bristle, beech handle."),
    Line("Paint", "Paint roller {width}, {pile}", "ROL-{n}", {"width": "10 cm | 18 cm | 25 cm", "pile": "short pile | medium pile | foam"}, "2.49", "9.49", "Fits 6 and 8 mm frames; washable."),
    Line("Paint", "Masking tape {width} × 50 m", "MSK-{width}", {"width": "19 mm=19 | 25 mm=25 | 38 mm=38 | 50 mm=50"}, "1.99", "5.49", "Comes off clean within seven days."),
    # Adhesives
    Line("Adhesives", "Wood glue D{grade}, {size}", "GLU-D{grade}-{size}", {"grade": "2 | 3 | 4", "size": "75 g=75 | 250 g=250 | 750 g=750"}, "2.99", "14.90", "White, dries clear; D3 and D4 stand moisture."),
    Line("Adhesives", "Silicone {use}, {colour}, 310 ml", "SIL-{n}", {"use": "sanitary | window", "colour": "clear | white | grey | beige"}, "4.49", "8.99", "Stays elastic, resists mould."),
    # Electrical
    Line("Electrical", "Extension lead {length}, {sockets}", "EXT-{n}", {"length": "1.5 m | 3 m | 5 m", "sockets": "3 sockets | 6 sockets with switch"}, "6.99", "24.90", "Earthed sockets turned by 45 degrees."),
    Line("Electrical", "Battery {size}, pack of {pack}", "BAT-{size}-{pack}", {"size": "AAA=AAA | AA=AA | C=C | D=D", "pack": "2 | 4 | 8"}, "2.49", "16.90", "Alkaline, ten years on the shelf."),
    Line("Electrical", "Rechargeable battery {size}, {capacity}, pack of 4", "BAR-{size}-{capacity}", {"size": "AAA=AAA | AA=AA", "capacity": "800 mAh=08 | 1,900 mAh=19"}, "8.90", "18.90", "Low self-discharge, comes charged."),
    Line("Electrical", "Light switch, {kind}, {colour}", "SWT-{n}", {"kind": "single | two-way | double | dimmer", "colour": "white | anthracite"}, "3.99", "29.90", "Flush mounted, with frame; to be installed by an electrician."),
    Line("Electrical", "Cable 3 × {area} mm², {length}", "CBL-{area}-{length}", {"area": "1.5=15 | 2.5=25", "length": "5 m=05 | 10 m=10 | 25 m=25 | 50 m=50"}, "6.90", "74.90", "Sheathed, for dry rooms and under plaster."),
    # Plumbing
    Line("Plumbing", "Compression fitting {kind}, {size} mm", "CMP-{kind}-{size}", {"kind": "straight=S | elbow=E | tee=T", "size": "15 | 22 | 28"}, "1.99", "9.90", "Brass; no soldering needed."),
    Line("Plumbing", "Flexible hose ½ inch, {length}", "FLX-{length}", {"length": "30 cm=30 | 50 cm=50 | 80 cm=80"}, "3.99", "7.90", "Stainless braid, for taps and cisterns."),
    Line("Plumbing", "Tap washers {size}, 10 pieces", "WSH-{n}", {"size": "⅜ inch | ½ inch | ¾ inch"}, "1.29", "1.99", "Rubber, for cold and hot water."),
    Line("Plumbing", "Sink plunger, {kind}", "PLN-{n}", {"kind": "cup | bellows"}, "4.49", "12.90", "For blocked sinks, baths and showers."),
    # Bathroom
    Line("Bathroom", "Towel rail {width}, {finish}", "TWR-{n}", {"width": "40 cm | 60 cm", "finish": "chrome | matt black | brushed steel"}, "14.90", "39.90", "For screws or glue, both included."),
    Line("Bathroom", "Shower curtain {colour}, 180 × 200 cm", "SHC-{n}", {"colour": "white | pale blue | green leaves | grey stripes"}, "9.90", "19.90", "Washable at 40 degrees, twelve rings."),
    Line("Bathroom", "Soap dish, {material}", "SPD-{n}", {"material": "plastic | bamboo | stoneware | steel"}, "2.99", "12.90", "Grooves let the water run off."),
    # Kitchen
    Line("Kitchen", "Saucepan {size} with lid, {material}", "PAN-{n}", {"size": "16 cm | 20 cm | 24 cm", "material": "enamelled steel | stainless steel"}, "16.90", "49.90", "For every stove, induction included."),
    Line("Kitchen", "Frying pan {size}, {material}", "PAN-{n}", {"size": "20 cm | 24 cm | 28 cm", "material": "coated aluminium | carbon steel | cast iron"}, "14.90", "59.90", "Riveted handle; a bare pan needs seasoning first."),
    Line("Kitchen", "Kitchen knife, {blade}", "KKN-{n}", {"blade": "paring 8 cm | utility 12 cm | bread 20 cm | chef's 20 cm"}, "6.90", "39.90", "Full tang, to be washed by hand."),
    Line("Kitchen", "Chopping board, {wood}, {size}", "CHB-{n}", {"wood": "beech | acacia | oak", "size": "30 × 20 cm | 40 × 28 cm"}, "8.90", "32.90", "Oiled; with a groove for the juice on one side."),
    Line("Kitchen", "Mixing bowl {size}, {colour}", "MXB-{n}", {"size": "1.5 l | 3 l | 5 l", "colour": "white | mint | red"}, "4.90", "14.90", "Melamine with a non-slip base."),
    Line("Kitchen", "Enamel mug “{text}”", "MUG-{n}", {"text": "Good morning | Café au lait | Schöner Tag | Доброго ранку"}, "6.90", "8.90", "White with a blue rim, 350 ml; not for the microwave."),
    Line("Kitchen", "Crème brûlée dishes, {colour}, set of {pack}", "CRB-{n}", {"pack": "2 | 4 | 6", "colour": "white | terracotta"}, "7.90", "22.90", "Stoneware, ovenproof, 12 cm across."),
    Line("Kitchen", "Storage jar {size}, {lid}", "JAR-{n}", {"size": "0.5 l | 1 l | 1.5 l", "lid": "clip lid | cork lid | bamboo lid"}, "2.99", "9.90", "Glass, dishwasher-safe without its lid."),
    Line("Tableware", "Dinner plate {size}, {glaze}", "PLT-{n}", {"size": "21 cm | 27 cm", "glaze": "white | sand | dark blue | speckled"}, "3.99", "11.90", "Stoneware, for dishwasher and microwave."),
    Line("Tableware", "Drinking glass {size}, set of {pack}", "GLS-{n}", {"size": "0.2 l | 0.3 l | 0.4 l", "pack": "4 | 6"}, "5.90", "16.90", "Stackable, tempered."),
    Line("Tableware", "Cutlery set {name}, {pieces} pieces", "CUT-{n}", {"name": "Arvid | Lotte", "pieces": "16 | 24 | 60"}, "24.90", "119.00", "18/10 steel, polished."),
    # Cleaning
    Line("Cleaning", "All-purpose cleaner {scent}, {size}", "CLN-{n}", {"size": "1 l | 5 l", "scent": "lemon | pine | unscented"}, "1.99", "9.90", "Concentrate: a capful for a bucket."),
    Line("Cleaning", "Broom, {kind}, {width}", "BRM-{n}", {"kind": "coconut | horsehair | outdoor", "width": "30 cm | 40 cm | 60 cm"}, "5.90", "24.90", "Head without handle; takes 24 mm handles."),
    Line("Cleaning", "Bucket {size}, {colour}", "BKT-{size}-{colour}", {"size": "5 l=05 | 10 l=10 | 12 l=12", "colour": "grey=G | blue=B | red=R"}, "2.49", "6.90", "With a scale and a spout."),
    Line("Cleaning", "Microfibre cloths, {colour}, pack of {pack}", "MFC-{n}", {"pack": "3 | 5 | 10", "colour": "blue | yellow | grey"}, "3.49", "11.90", "Wash at 60 degrees, without softener."),
    # Storage
    Line("Storage", "Storage box with lid {size}, {colour}", "BOX-{size}-{colour}", {"size": "5 l=05 | 15 l=15 | 30 l=30 | 50 l=50", "colour": "clear=C | white=W | grey=G"}, "3.99", "21.90", "Stackable, with clips."),
    Line("Storage", "Wicker basket {shape}, {size}", "WKB-{n}", {"shape": "round | rectangular", "size": "small | medium | large"}, "7.90", "29.90", "Willow, woven by hand; sizes vary a little."),
    Line("Storage", "Coat hooks, {wood}, {hooks} hooks", "CHK-{n}", {"wood": "pine | beech | oak", "hooks": "3 | 5"}, "9.90", "34.90", "Rail with metal hooks; screws and plugs included."),
    # Garden
    Line("Garden", "Garden {tool}, ash handle", "GDT-{n}", {"tool": "rake | hoe | cultivator | fork | spade"}, "19.90", "39.90", "Forged head, 150 cm long."),
    Line("Garden", "Hand {tool}, stainless", "GDH-{n}", {"tool": "trowel | fork | weeder"}, "6.90", "12.90", "Ash handle with a leather loop."),
    Line("Garden", "Secateurs, {kind}", "SEC-{n}", {"kind": "anvil | bypass | bypass, left-handed"}, "12.90", "32.90", "Cuts up to 20 mm; parts can be replaced."),
    Line("Garden", "Plant pot {size}, {material}", "POT-{n}", {"size": "10 cm | 14 cm | 20 cm | 30 cm", "material": "terracotta | glazed blue | glazed green | zinc"}, "1.49", "19.90", "With a hole in the bottom; saucers are sold separately."),
    Line("Garden", "Garden hose ½ inch, {length}", "HSE-{length}", {"length": "15 m=15 | 25 m=25 | 50 m=50"}, "14.90", "54.90", "Three layers, does not kink; connectors included."),
    Line("Garden", "Watering can {size}, {material}", "WTC-{n}", {"size": "5 l | 10 l", "material": "plastic, green | galvanised"}, "5.90", "34.90", "With a rose that comes off."),
    Line("Garden", "Seeds, {plant}", "SED-{n}", {"plant": "radish | lettuce | basil | carrot | sunflower | tomato | sweet pea | chilli"}, "1.49", "3.49", "One packet for about three metres; sowing calendar on the back."),
    # Textiles, pets
    Line("Textiles", "Tea towel, {pattern}", "TTW-{n}", {"pattern": "blue check | red check | grey stripe | linen, plain"}, "3.90", "9.90", "50 × 70 cm with a loop."),
    Line("Textiles", "Doormat {size}, {material}", "DMT-{n}", {"size": "40 × 60 cm | 50 × 80 cm", "material": "coconut | rubber | recycled fibre"}, "7.90", "34.90", "Holds dirt and water at the door."),
    Line("Textiles", "Cushion cover {colour}, {size}", "CSC-{n}", {"size": "40 × 40 cm | 50 × 50 cm", "colour": "ecru | rust | moss | indigo"}, "6.90", "14.90", "Washed cotton with a concealed zip."),
    Line("Pets", "Dog lead {length}, {colour}", "DGL-{n}", {"length": "1.2 m | 2 m", "colour": "black | red | olive"}, "7.90", "19.90", "Webbing with a padded handle."),
    Line("Pets", "Feeding bowl {size}, {material}", "PTB-{n}", {"size": "0.3 l | 0.8 l | 1.5 l", "material": "steel | stoneware"}, "3.90", "16.90", "Does not slide; for the dishwasher."),
    Line("Pets", "Bird feeder, {kind}", "BRD-{n}", {"kind": "peanut tube | seed house | suet ball holder | window tray"}, "5.90", "29.90", "Opens for cleaning; food is sold separately."),
    # More of everything that a house needs
    Line("Lighting", "String lights, {pieces} LEDs, {tone}", "STR-{n}", {"pieces": "20 | 50 | 100 | 200", "tone": "warm white | coloured"}, "6.90", "29.90", "For indoors and sheltered places outdoors, with a timer."),
    Line("Lighting", "Ceiling lamp {width}, {colour}", "LMP-{n}", {"width": "30 cm | 40 cm | 50 cm", "colour": "white | black | natural linen | smoke grey"}, "19.90", "64.90", "Takes two E27 bulbs; canopy and screws included."),
    Line("Lighting", "Candle lantern, {wood}, {height}", "LAN-{n}", {"wood": "pine | acacia", "height": "25 cm | 40 cm | 55 cm"}, "14.90", "44.90", "Wooden frame with glass panes; for terrace and hall."),
    Line("Screws", "Chipboard screws {size} mm, {drive}, {pack} pieces", "SCC-{size}-{drive}-{pack}", {"size": "3 × 20=3X20 | 3.5 × 20=35X20 | 4 × 20=4X20 | 4 × 35=4X35 | 4.5 × 45=45X45 | 5 × 40=5X40", "drive": "cross drive=C | star drive=T", "pack": "100 | 500"}, "2.99", "16.90", "Full thread, zinc-plated."),
    Line("Fixings", "Washers M{thread}, {kind}, 50 pieces", "WAS-M{thread}-{n}", {"thread": "4 | 5 | 6 | 8 | 10", "kind": "standard | wide"}, "1.29", "5.90", "Zinc-plated steel."),
    Line("Fixings", "Nails {length}, {kind}, {weight}", "NAL-{n}", {"length": "25 mm | 40 mm | 60 mm | 90 mm", "kind": "bright | galvanised", "weight": "250 g | 1 kg"}, "1.99", "9.90", "Flat head, chequered."),
    Line("Fixings", "Threaded rod M{thread}, 1 m", "ROD-M{thread}", {"thread": "5 | 6 | 8 | 10 | 12"}, "1.49", "6.90", "Zinc-plated, strength 4.8; to be cut with a hacksaw."),
    Line("Hinges and brackets", "Angle bracket {size}, {finish}", "ANG-{n}", {"size": "30 mm | 50 mm | 75 mm | 100 mm", "finish": "zinc | stainless | black"}, "0.79", "5.90", "Punched and countersunk; sold singly."),
    Line("Hinges and brackets", "Drawer runners {length}, {kind}, pair", "DRN-{n}", {"length": "30 cm | 40 cm | 50 cm | 60 cm", "kind": "roller | ball bearing | soft close"}, "5.90", "29.90", "Left and right, with screws."),
    Line("Hinges and brackets", "Cabinet knob, {material}, {width}", "KNB-{n}", {"material": "beech | porcelain | brass | matt black", "width": "25 mm | 35 mm"}, "1.99", "6.90", "With an M4 screw for doors up to 22 mm."),
    Line("Hand tools", "Hex keys {standard}, set of {pack}", "HEX-{n}", {"standard": "metric | inch | star", "pack": "7 | 9"}, "5.90", "19.90", "Ball end on the long arm, in a clip."),
    Line("Hand tools", "Wood chisel {width} mm", "CHI-{width}", {"width": "6 | 10 | 12 | 16 | 20 | 25 | 32"}, "7.90", "16.90", "Hornbeam handle with a steel ring."),
    Line("Hand tools", "File, {shape}, cut {cut}", "FIL-{n}", {"shape": "flat | half-round | round | square | three-square", "cut": "1 | 2 | 3"}, "5.90", "12.90", "200 mm, with a handle that fits the hand."),
    Line("Hand tools", "Clamp {length}, {kind}", "CLM-{n}", {"length": "15 cm | 30 cm | 60 cm | 100 cm", "kind": "screw | one-handed"}, "6.90", "32.90", "Protective caps leave no marks."),
    Line("Hand tools", "Socket {size} mm, {drive}", "SOC-{n}", {"size": "8 | 10 | 13 | 17 | 19", "drive": "¼ inch drive | ⅜ inch drive | ½ inch drive"}, "2.49", "6.90", "Chrome vanadium, six-point."),
    Line("Hand tools", "Work gloves, {kind}, size {size}", "GLV-{n}", {"kind": "cotton, dotted | nitrile | goatskin | winter", "size": "8 | 9 | 10 | 11"}, "2.49", "14.90", "One pair, by EN 388."),
    Line("Hand tools", "Safety glasses, {tone}", "SAF-{n}", {"tone": "clear | tinted | yellow"}, "4.90", "4.90", "Scratch-resistant, fit over spectacles."),
    Line("Drill bits", "Hole saw {size} mm", "HLS-{size}", {"size": "22 | 35 | 51 | 68 | 82"}, "5.90", "16.90", "Bi-metal, for wood, plastic and thin sheet; arbor sold separately."),
    Line("Drill bits", "Jigsaw blades for {use}, {pack} pieces", "JIG-{n}", {"use": "wood, coarse | wood, fine | metal | laminate", "pack": "5 | 10"}, "4.90", "12.90", "T-shank."),
    Line("Paint", "Spray paint {colour}, {sheen}, 400 ml", "SPR-{n}", {"colour": "white | black | silver | red | blue | green", "sheen": "gloss | matt"}, "5.90", "6.90", "Dry to touch in fifteen minutes."),
    Line("Paint", "Filler for {use}, {size}", "FLR-{n}", {"use": "walls | wood | outdoors", "size": "250 g | 500 g | 1 kg"}, "2.99", "12.90", "Ready to use, can be sanded after two hours."),
    Line("Paint", "Dust sheet {size}, {thickness}", "DST-{n}", {"size": "4 × 5 m | 4 × 12 m", "thickness": "thin | strong | fleece"}, "1.99", "19.90", "Keeps floors and furniture clean."),
    Line("Adhesives", "Repair tape {width}, {colour}", "DUC-{n}", {"width": "38 mm × 25 m | 50 mm × 50 m", "colour": "silver | black | white"}, "3.90", "8.90", "Woven, tears by hand."),
    Line("Adhesives", "Epoxy adhesive, {kind}, 25 ml", "EPX-{n}", {"kind": "5 minutes | 30 minutes | metal-filled"}, "5.90", "9.90", "Two parts, in a double syringe."),
    Line("Electrical", "Junction box {size}, {kind}", "JBX-{n}", {"size": "60 mm | 80 mm | 100 mm", "kind": "flush | surface, splash-proof"}, "0.99", "5.90", "With knock-outs for cables up to 20 mm."),
    Line("Electrical", "Fuse {rating} A, {kind}, 10 pieces", "FUS-{n}", {"rating": "1 | 2 | 3.15 | 5 | 10", "kind": "quick | slow"}, "2.49", "3.90", "Glass, 5 × 20 mm."),
    Line("Electrical", "USB charger {power}, {colour}", "USB-{n}", {"power": "12 W | 20 W | 45 W | 65 W", "colour": "white | black"}, "9.90", "39.90", "One or two sockets, folding plug."),
    Line("Plumbing", "Waste pipe {size} mm, {length}", "WPI-{n}", {"size": "32 | 40 | 50 | 75", "length": "25 cm | 50 cm | 1 m | 2 m"}, "1.49", "11.90", "Grey, with a seal."),
    Line("Plumbing", "Sealing tape {length}, {width}", "PTF-{n}", {"length": "10 m | 12 m | 15 m", "width": "12 mm | 19 mm"}, "0.99", "2.90", "PTFE, for threads in water and air lines."),
    Line("Bathroom", "Bath towel {colour}, {size}", "TWL-{n}", {"size": "50 × 100 cm | 70 × 140 cm | 100 × 150 cm", "colour": "white | sand | petrol | rose | anthracite"}, "6.90", "24.90", "Combed cotton, 500 g/m²."),
    Line("Bathroom", "Bath mat {colour}, {size}", "BTM-{n}", {"size": "50 × 60 cm | 60 × 90 cm", "colour": "white | grey | eucalyptus"}, "9.90", "19.90", "Tufted, with a back that does not slide."),
    Line("Kitchen", "Baking tin, {shape}, {size}", "BKG-{n}", {"shape": "loaf | springform | tart | muffin, 12 cups", "size": "small | large"}, "6.90", "17.90", "Non-stick, to be washed by hand."),
    Line("Kitchen", "Wooden spoon, {shape}", "SPO-{n}", {"shape": "round | pointed | slotted | flat"}, "1.99", "1.99", "Olive wood, oiled, 30 cm."),
    Line("Kitchen", "Kitchen scales, {kind}, {colour}", "SCL-{n}", {"kind": "mechanical 5 kg | digital 5 kg | digital 10 kg", "colour": "white | black | red"}, "12.90", "34.90", "With a tare function; the digital ones come with batteries."),
    Line("Kitchen", "Coffee filter, {material}, {size}", "COF-{n}", {"material": "plastic | porcelain | steel", "size": "2 cups | 4 cups"}, "3.90", "19.90", "For filter papers of the same size."),
    Line("Tableware", "Napkins {colour}, {pack} pieces", "NAP-{n}", {"pack": "20 | 50", "colour": "white | dark green | bordeaux | sky blue | yellow"}, "1.99", "4.49", "Three plies, 33 × 33 cm."),
    Line("Cleaning", "Bin bags {size}, {kind}", "BIN-{n}", {"size": "10 l | 20 l | 35 l | 60 l | 120 l", "kind": "recycled | with tie"}, "1.49", "6.90", "A roll; tear-resistant seams."),
    Line("Cleaning", "Scrubbing brush, {kind}", "SCB-{n}", {"kind": "hand | dishes | floor | bottle | joints"}, "1.99", "7.90", "Beech with natural fibres."),
    Line("Storage", "Shelf board {length} × 20 cm, {finish}", "SHF-{n}", {"length": "60 cm | 80 cm | 120 cm", "finish": "white | pine | oak veneer"}, "5.90", "24.90", "18 mm thick, edges finished."),
    Line("Storage", "Moving box {size}, pack of {pack}", "MVB-{n}", {"size": "35 l | 60 l | 90 l", "pack": "1 | 5 | 10"}, "1.99", "27.90", "Corrugated board, carries up to 30 kg."),
    Line("Garden", "Potting soil, {kind}, {size}", "SOI-{n}", {"kind": "universal | herbs | tomatoes | peat-free", "size": "10 l | 20 l | 40 l"}, "3.49", "12.90", "Feeds for six weeks."),
    Line("Garden", "Plant stakes {length}, {material}, {pack} pieces", "STK-{n}", {"length": "90 cm | 120 cm | 180 cm", "material": "bamboo | coated steel", "pack": "5 | 10"}, "2.49", "16.90", "For tomatoes, beans and young trees."),
    Line("Garden", "Flower bulbs, {plant}, {pack} pieces", "BLB-{n}", {"pack": "10 | 25", "plant": "tulips, mixed | tulips, white | daffodils | crocuses | snowdrops | alliums"}, "3.49", "8.90", "Plant from September to November."),
    Line("Textiles", "Bed linen {colour}, {size}", "BED-{n}", {"size": "135 × 200 cm | 155 × 220 cm | 200 × 200 cm", "colour": "white | pale grey | blue stripes | leaf print"}, "24.90", "64.90", "Renforcé cotton, with buttons."),
    Line("Textiles", "Curtain {colour}, {length}", "CUR-{n}", {"length": "175 cm | 225 cm | 245 cm", "colour": "white voile | natural linen | dark blue | terracotta"}, "14.90", "39.90", "Ruffle tape and loops; one piece, 140 cm wide."),
    Line("Pets", "Dog bed {size}, {colour}", "DGB-{n}", {"size": "60 cm | 80 cm | 100 cm", "colour": "grey | brown | checked"}, "19.90", "54.90", "The cover comes off for the wash."),
)  # fmt: skip

# Makers whose goods fill a catalogue that is larger than the store's own.
MAKERS = (
    "Aldermoor", "Birkfeld", "Corvane", "Dunmere", "Eskholt", "Farnley", "Greyhollow", "Hollen", "Ivarsson", "Jorvek",
    "Kestermann", "Lindqvist", "Marrowby", "Northgate", "Oakhurst", "Pellworth", "Quillon", "Ravensby", "Solheim",
    "Tamberlane", "Ulverton", "Vester", "Westrup", "Yarrow", "Zellner",
)  # fmt: skip
