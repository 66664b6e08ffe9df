"""Short texts in many languages, with the old encodings that they were once written in."""

TEXTS = {
    "Turkish": (
        "Köprü nehrin üzerinden geçiyor ve ışıklar gece boyunca yanıyor. Bekçi her akşam lambayı yakar, "
        "çünkü gemiler için bu çok önemlidir. Şehirde yaşayanlar bunu değiştirmek istemiyor.",
        "cp1254 iso8859_9 cp857",
    ),
    "Polish": (
        "Most przez rzekę został zbudowany w tysiąc dziewięćset trzydziestym roku. Latarnik zapala "
        "lampę każdego wieczoru, ponieważ statki muszą ją widzieć. Być może jeśli śnieg spadnie, będą "
        "kłopoty.",
        "cp1250 iso8859_2 cp852",
    ),
    "Czech": (
        "Most přes řeku byl postaven v roce tisíc devět set třicet. Strážce zapaluje lampu každý večer, "
        "protože lodě ji musí vidět. Když napadne sníh, už nikdo nemůže přijít, ale ještě žije naděje.",
        "cp1250 iso8859_2 cp852",
    ),
    "Slovak": (
        "Most cez rieku bol postavený v roku tisíc deväťsto tridsať. Strážca zapaľuje lampu každý "
        "večer, pretože lode ju musia vidieť. Keď napadne sneh, už nikto nemôže prísť.",
        "cp1250 iso8859_2 cp852",
    ),
    "Hungarian": (
        "A folyó fölötti hidat ezerkilencszázharmincban építették. Az őr minden este meggyújtja a "
        "lámpát, mert a hajóknak látniuk kell. Ha hó esik, senki sem tud átkelni, és a tűz is kialszik.",
        "cp1250 iso8859_2 cp852",
    ),
    "Romanian": (
        "Podul peste râu a fost construit în anul o mie nouă sute treizeci. Paznicul aprinde lampa în "
        "fiecare seară, pentru că vasele trebuie să o vadă. Dacă ninge, nimeni nu mai poate veni până "
        "dimineaţa şi toţi aşteaptă.",
        "cp1250 iso8859_2",
    ),
    "Croatian": (
        "Most preko rijeke sagrađen je tisuću devetsto tridesete godine. Čuvar pali svjetiljku svake "
        "večeri jer je brodovi moraju vidjeti. Kad padne snijeg, više nitko ne može doći, što je "
        "također žalosno.",
        "cp1250 iso8859_2",
    ),
    "Slovenian": (
        "Most čez reko je bil zgrajen leta tisoč devetsto trideset. Čuvaj vsak večer prižge svetilko, "
        "ker jo morajo ladje videti. Ko zapade sneg, nihče več ne more priti, še pošta ne.",
        "cp1250 iso8859_2",
    ),
    "Hebrew": (
        "הגשר מעל הנהר נבנה בשנת אלף תשע מאות ושלושים. השומר מדליק את המנורה בכל ערב, כי האוניות צריכות "
        "לראות אותה. אם יורד שלג, אף אחד לא יכול לבוא.",
        "cp1255 iso8859_8 cp862",
    ),
    "Ukrainian": (
        "Міст через річку збудували тисяча дев'ятсот тридцятого року. Сторож щовечора запалює лампу, бо "
        "кораблі мають її бачити. Якщо випаде сніг, ніхто не зможе прийти, і це є проблема.",
        "cp1251 koi8_u cp1125 iso8859_5",
    ),
    "Russian": (
        "Мост через реку построен в тысяча девятьсот тридцатом году. Сторож каждый вечер зажигает "
        "лампу, чтобы корабли могли её видеть. Если выпадет снег, никто не сможет прийти.",
        "cp1251 koi8_r cp866 iso8859_5 mac_cyrillic",
    ),
    "Bulgarian": (
        "Мостът над реката е построен през хиляда деветстотин и тридесета година. Пазачът всяка вечер "
        "пали лампата, защото корабите трябва да я виждат. Ако падне сняг, никой не може да дойде.",
        "cp1251 iso8859_5",
    ),
    "Serbian": (
        "Мост преко реке саграђен је хиљаду деветсто тридесете године. Чувар пали лампу сваке вечери "
        "јер бродови морају да је виде. Кад падне снег, више нико не може да дође.",
        "cp1251 iso8859_5",
    ),
    "Greek": (
        "Η γέφυρα πάνω από το ποτάμι χτίστηκε το χίλια εννιακόσια τριάντα. Ο φύλακας ανάβει τη λάμπα "
        "κάθε βράδυ, γιατί τα πλοία πρέπει να τη βλέπουν. Άλλοι λένε ότι δεν είναι αρκετό.",
        "cp1253 iso8859_7 cp737",
    ),
    "Arabic": (
        "بني الجسر فوق النهر في عام ألف وتسعمائة وثلاثين. يضيء الحارس المصباح كل مساء لأن السفن يجب أن "
        "تراه. إذا سقط الثلج فلا أحد يستطيع أن يأتي.",
        "cp1256 iso8859_6",
    ),
    "German": (
        "Die Brücke über den Fluss wurde neunzehnhundertdreißig gebaut. Der Wächter zündet jeden Abend "
        "die Lampe an, damit die Schiffe sie sehen können. Fällt Schnee, kann niemand mehr herüber.",
        "cp1252 mac_roman cp850 cp437",
    ),
    "French": (
        "Le pont sur la rivière a été construit en mille neuf cent trente. Le gardien allume la lampe à "
        "chaque soirée, car les bateaux doivent la voir. S'il neige, personne ne peut plus venir, même "
        "à pied.",
        "cp1252 mac_roman cp850",
    ),
    "Spanish": (
        "El puente sobre el río se construyó en el año mil novecientos treinta. El guardián enciende la "
        "lámpara todas las noches, porque los barcos también deben verla. Si nieva, nadie más podrá "
        "venir mañana.",
        "cp1252 mac_roman cp850",
    ),
    "Portuguese": (
        "A ponte sobre o rio foi construída no ano de mil novecentos e trinta. O guardião acende a "
        "lâmpada todas as noites, porque os navios também precisam vê-la. Se nevar, ninguém poderá vir "
        "amanhã, e não há solução.",
        "cp1252 mac_roman cp850",
    ),
    "Italian": (
        "Il ponte sul fiume è stato costruito nel millenovecentotrenta. Il guardiano accende la lampada "
        "ogni sera, perché le navi devono vederla. Se nevica, nessuno può più venire: così è la città.",
        "cp1252 mac_roman",
    ),
    "Swedish": (
        "Bron över floden byggdes år nittonhundratrettio. Väktaren tänder lampan varje kväll, eftersom "
        "fartygen måste se den. Om det snöar kan ingen komma längre, och då är det tyst på ön.",
        "cp1252 mac_roman cp850",
    ),
    "Danish": (
        "Broen over floden blev bygget i året nittenhundredetredive. Vægteren tænder lampen hver aften, "
        "fordi skibene skal kunne se den. Når det sner, kan ingen længere komme på besøg, men ånden er "
        "god.",
        "cp1252 cp850",
    ),
    "Finnish": (
        "Joen ylittävä silta rakennettiin vuonna tuhatyhdeksänsataakolmekymmentä. Vartija sytyttää "
        "lampun joka ilta, koska laivojen täytyy nähdä se. Jos sataa lunta, kukaan ei enää pääse "
        "perille.",
        "cp1252 mac_roman cp850",
    ),
    "Icelandic": (
        "Brúin yfir ána var byggð árið nítján hundruð og þrjátíu. Vörðurinn kveikir á lampanum á hverju "
        "kvöldi, því að skipin verða að sjá hann. Ef það snjóar getur enginn komið og það er ekki gott.",
        "cp1252 cp850",
    ),
    "Dutch": (
        "De brug over de rivier is in negentienhonderddertig geïnstalleerd. De wachter steekt elke "
        "avond de lamp aan, omdat schepen één licht moeten zien. Als het sneeuwt, kan niemand naar het "
        "café.",
        "cp1252",
    ),
    "Estonian": (
        "Sild üle jõe ehitati tuhande üheksasaja kolmekümnendal aastal. Valvur süütab lambi igal õhtul, "
        "sest laevad peavad seda nägema. Kui sajab lund, ei saa keegi enam tulla ja see on väga kurb.",
        "cp1252 cp1257",
    ),
    "Latvian": (
        "Tilts pār upi tika uzcelts tūkstoš deviņi simti trīsdesmitajā gadā. Sargs katru vakaru iededz "
        "lampu, jo kuģiem tā ir jāredz. Ja snieg, neviens vairs nevar atnākt, arī šodien ne.",
        "cp1257 iso8859_13",
    ),
    "Lithuanian": (
        "Tiltas per upę buvo pastatytas tūkstantis devyni šimtai trisdešimtais metais. Sargas kiekvieną "
        "vakarą uždega lempą, nes laivai turi ją matyti. Jei sninga, niekas nebegali ateiti, bet yra ir "
        "kitų kelių.",
        "cp1257 iso8859_13",
    ),
    "Catalan": (
        "El pont sobre el riu es va construir l'any mil nou-cents trenta. El guardià encén el llum cada "
        "vespre, perquè els vaixells també l'han de veure. Si neva, ningú més no pot venir demà; això "
        "és així.",
        "cp1252",
    ),
    "Norwegian": (
        "Broen over elven ble bygget i året nittenhundreogtretti. Vekteren tenner lampen hver kveld, "
        "fordi skipene må kunne se den. Når det snør, kan ingen lenger komme på besøk, og da er det "
        "også stille på øya.",
        "cp1252",
    ),
    "Albanian": (
        "Ura mbi lumë u ndërtua në vitin një mijë e nëntëqind e tridhjetë. Roja e ndez llambën çdo "
        "mbrëmje, sepse anijet duhet ta shohin. Nëse bie borë, askush nuk mund të vijë më.",
        "cp1252",
    ),
    "Thai": (
        "สะพานข้ามแม่น้ำถูกสร้างขึ้นในปีหนึ่งพันเก้าร้อยสามสิบ ผู้เฝ้าประภาคารจุดตะเกียงทุกเย็น เพราะเรือต้องมองเห็นมัน",
        "cp874",
    ),
    "Japanese": (
        "川に架かる橋は千九百三十年に建てられた。灯台守は毎晩ランプに火をともす。船がそれを見なければならないからだ。",
        "cp932 euc_jp",
    ),
    "Chinese": (
        "河上的桥建于一千九百三十年。看守人每天晚上点亮灯，因为船必须看到它。如果下雪，就没有人能来了。",
        "gb18030",
    ),
    "Chinese, traditional": (
        "河上的橋建於一千九百三十年。看守人每天晚上點亮燈，因為船必須看到它。如果下雪，就沒有人能來了。",
        "big5",
    ),
    "Korean": (
        "강을 건너는 다리는 천구백삼십년에 지어졌다. "
        "등대지기는 매일 저녁 등불을 켠다. 배들이 그것을 보아야 하기 때문이다.",
        "cp949",
    ),
}
