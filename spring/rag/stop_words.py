"""Stop words by language: articles, pronouns, prepositions, conjunctions, auxiliaries, question words.

They are no match by themselves, and how many of them a text has says which language it is in. The lists are short on
purpose: a word that can name a thing is left out, as a question may be about it.
"""

from types import MappingProxyType

_LISTS = {
    # Not "may" and "us": without case they are also the month and the country. The last line: left of "doesn't" ...
    "english": """
    a about after all also am an and any are as at be been before being but by can could did do does doing during each
    either else ever few for from get give had has have having he her here hers herself him himself his how however i
    if in into is it its itself just many me more most much must my myself no nor not of off on only or other our ours
    out over please shall she should so some such tell than that the their theirs them themselves then there these they
    this those through to too under until up upon very was we were what when where whether which while who whom whose
    why will with would yes yet you your yours yourself
    aren couldn d didn doesn don hadn hasn haven isn ll m re s shouldn t ve wasn weren won wouldn""",
    "german": """
    aber alle allem allen aller alles als also am an auch auf aus bei beim bin bis bist da damit dann das dass dein
    deine dem den denn der des dessen die dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem
    einen einer eines er es etwas euch euer für gab gegen gibt habe haben hat hatte hatten hier ich ihm ihn ihnen ihr
    ihre ihrem ihren ihrer im in ins ist ja jede jedem jeden jeder jedes jener kann kein keine keinem keinen keiner
    können könnte man mehr mein meine mich mir mit muss nach nicht nichts noch nun nur ob oder ohne sehr sei sein seine
    seinem seinen seiner selbst sich sie sind so sollte sonst über um und uns unser unter viel viele vom von vor wann
    war waren warum was weil welche welchem welchen welcher welches wem wen wenn wer werden weshalb wessen wie wieder
    wieso wieviel wir wird wo wobei wodurch woher wohin womit worden wurde wurden während würde zu zum zur zwischen""",
    "french": """
    a ai as au aucun aucune aussi autre autres aux avait avant avec avez avoir avons c car ce ceci cela celle celles
    celui ces cet cette ceux chez comme comment d dans de depuis des donc dont du elle elles en entre es est et était
    étaient étant été êtes être eu eux fait furent fut il ils j je jusque l la là laquelle le lequel les lesquels leur
    leurs lorsque lui m ma mais me même mes moi mon n ne ni nos notre nous on ont ou où par parce pas pendant peu peut
    plus pour pourquoi puis qu quand que quel quelle quelles quels qui quoi s sa sans se sera ses si sinon soit son
    sont sous sur t ta te tes toi ton tous tout toute toutes très tu un une vos votre vous y""",
    "spanish": """
    a adónde al algo algún alguna algunas alguno algunos ante antes aquel aquella aquellos aquí así aún aunque bajo
    cada como cómo con cual cuál cuales cuáles cualquier cuando cuándo cuanta cuánta cuantas cuántas cuanto cuánto
    cuantos cuántos cuya cuyo de del desde donde dónde dos durante e el él ella ellas ello ellos en entre era eran eres
    es esa esas ese eso esos esta está estaba están estar estas este esto estos fue fueron ha había habían han hasta
    hay he la las le les lo los más me mi mientras mis mucho muchos muy nada ni no nos nosotros nuestra nuestro o os
    otra otras otro otros para pero poco por porque pues que qué quien quién quienes quiénes se sea según ser si sí sin
    sino sobre son soy su sus también tan tanto te tiene tienen toda todas todo todos tras tu tú tus u un una unas uno
    unos usted ustedes y ya yo""",
    "italian": """
    a abbia ad agli ai al alcuni alla alle allo allora anche ancora aveva avevano avere c che chi ci cioè coi col come
    con contro cosa così cui d da dagli dai dal dalla dalle dallo degli dei del della delle dello dentro di dopo dove
    dov due e è ed egli era erano essa esse essere essi esso fra fu furono gli ha hanno ho i il in io l la le lei li lo
    loro lui ma mai me mentre mi mia mie mio molto ne né negli nei nel nella nelle nello noi non nostra nostro o ogni
    oppure per perché però più poi prima qual quale quali quando quanta quante quanti quanto quella quelle quelli
    quello questa queste questi questo qui se sei senza si sia sono sopra sotto sta stata stati stato su sua sue sugli
    sui sul sulla sulle suo suoi tra tu tua tuo tutta tutte tutti tutto un una uno vi voi""",
    "portuguese": """
    a à ao aos aquela aquele aqui aquilo às as até cada com como da das de dela dele deles depois desde dessa desse
    desta deste do dos e é ela elas ele eles em entre era eram essa essas esse esses esta está estão estava estavam
    este estes eu foi foram há isso isto já la lhe lhes mais mas me mesmo meu meus minha muita muito muitos na não nas
    nem nessa nesse nesta neste no nos nós nossa nosso num numa o onde os ou outra outras outro outros para pela pelas
    pelo pelos por porquê porque qual quais qualquer quando quanta quantas quanto quantos que quê quem se sem sendo ser
    será seu seus sido só sob sobre sua suas também tão tem têm tinha toda todas todo todos tu um uma umas uns você""",
    "dutch": """
    aan al alle als altijd andere ben bij daar dan dat de der deze die dit doch doen door dus een eens elk elke en er
    ge geen haar had hadden heb hebben heeft hem het hier hij hoe hoeveel hun iets ik in is ja je jij jou jouw jullie
    kan konden kunnen maar me meer men met mij mijn moet na naar niet niets nog nu of om omdat ons onze ook op over
    reeds te tegen toch toen tot u uit uw van veel voor waar waarom wanneer was wat we wel welk welke werd werden wie
    wiens wij wil worden wordt zal ze zelf zich zij zijn zo zonder zou""",
    "swedish": """
    alla allt är att av blev bli blir då de dem den denna deras dess dessa det detta dig din ditt dock du efter ej
    eller en er era ett från för ha hade han hans har henne hennes hon honom hur i icke in inom inte jag ju kan kunde
    man med mellan men mig min mitt mot mycket när någon något några ni nu och om oss på sådan sig sin sina själv ska
    skulle som så sitt till under upp ut utan vad vår vara varför varit var vart vem vems vi vid vilka vilken vilket""",
    "norwegian": """
    alle at av bare begge ble bli blir da de deg dem den denne der deres det dette din disse ditt du eller en enn er et
    etter for fordi fra før ha hadde han hans har hennes henne her hun hva hvem hver hvilke hvilken hvilket hvis hvor
    hvordan hvorfor i ikke ingen inn jeg kan kom kunne man mange med meg mellom men mer min mitt mot mye når ned noe
    noen nå og også om opp oss over på samme seg selv sin sine sitt skal skulle slik som så til um under ut uten vår
    være vært var ved vi vil ville""",
    "danish": """
    af alle alt andre at blev blive bliver da de dem den denne der deres det dette dig din disse dog du efter eller en
    end er et for fordi fra ham han hans har havde have hende hendes her hos hun hvad hvem hver hvilke hvilken hvilket
    hvis hvor hvordan hvorfor hvornår i ikke ind jeg jo kan kunne man mange med meget mellem men mig min mit mod ned
    noget nogle nu når og også om op os over på samme selv sig sin sine sit skal skulle som sådan så til ud uden under
    vær være været var ved vi vil ville vores""",
    "finnish": """
    ei eivät emme en et ette että hän häneen hänen heidän he hänet ja joita joka jolla jonka jos jossa jotka joten
    kanssa keiden keitä keneltä kenen kenet keneen ketkä ketä kuin kuinka kuka kun me meidän mihin mikä miksi millä
    millainen milloin minä minkä minun missä mistä mitä mitkä moni mukaan mutta myös ne niiden niin niitä noin nuo nyt
    ole olen oli olivat olla olleet ollut on ovat se sekä sen siinä siitä sillä sinä sinun sitä tai tämä tämän tässä
    tästä te teidän tuo vaan vai vaikka vain voi""",
    "polish": """
    aby ale albo ani aż bardzo bez bo bowiem by być był była było były bym byli chociaż co czego czemu czy czyj czyja
    dla dlaczego do dokąd gdy gdyż gdzie go i ich ile ilu im inny ja jak jaka jaki jakie jako je jego jej jemu jest
    jestem jeszcze jeśli jeżeli już każdy kiedy kim kogo komu kto która którą które którego której który którym których
    którzy lub ma mają mi mnie może mój my na nad nam nas nasz nawet nic nich nie niech nim niż o od on ona one oni ono
    oraz po pod ponieważ przed przez przy są się skąd sobie swoje ta tak także tam te tego tej ten to tu tych tylko tym
    u w we więc wszystko wy z za ze że żeby""",
    "czech": """
    aby ale ani asi až bez bude budou by byl byla byli bylo být co čeho čemu či dnes do ho i ja já jak jaká jaké jaký
    je jeho jej její jejich jen jenž ještě jestli jež ji jí jich jim již jsem jsme jsou k kam kde kdo kdy když ke
    koho kolik komu která které kterého který kteří ku má mají mezi mi mít mně moje můj může na nad nám náš ne nebo
    není než nic ním o od on ona oni ono pak po pod podle pokud pro proč proto protože před při s se si sice své svůj
    ta tak také tam tato te ten tedy tento této to tohoto tom tomto tu tuto ty u už v vám váš ve vy z za ze že""",
    "hungarian": """
    a az egy és hogy nem is van volt ezt azt ez azok ezek aki akik ami amely amelyek amikor ahol akkor csak de el én
    ennek annak fel ha hány hogyan hol honnan hova hová igen itt ott ki kik kinek kit két le lehet lett ma már meg még
    melyik mely mert mi miatt miért mikor milyen minden mint mit mennyi nagyon nélkül ő ők össze pedig sem s sok szerint
    te ti után utána vagy vagyok vannak voltak által át be után között olyan ilyen""",
    "romanian": """
    a ai al ale am ar aş au avea având aveți că câți câte către când care căreia căror cât ce cea cei cel cele ceva cine
    cu cui cum da dacă dar de deci deși despre din dintre după e ea ei el ele era erau este eu fi fie fiind fost
    iar îi îl îmi în înainte între își îți la le li lor lui mai mult multe mulți ne nici nimic noi nostru nu o ori
    până pe pentru peste prin sa să sale sau se și si sub sunt său sunteți te toate tot toți tu un una unde unei unor
    unui unul va vă voastră voi vor""",
    "turkish": """
    acaba ama ancak bana bazı belki ben beni benim bir biraz biri birkaç birçok biz bizim böyle bu buna bunda bundan
    bunlar bunu bunun burada çok çünkü da daha dahi de değil diye dolayı en gibi hangi hani hem hep her hiç için içinde
    ile ise kadar kaç kez kim kime kimden kimi kimin kimler ki mı mi mu mü nasıl ne neden nedir nerede nereden nereye
    nin niçin niye o olan olarak oldu olduğu olur ona ondan onlar onların onu onun orada oysa öyle pek rağmen sana sen
    senin siz sizin sonra şey şu şöyle tarafından tüm üzere üzerinde var ve veya ya yani yok zaten""",
    "indonesian": """
    ada adalah agar akan aku anda antara apa apakah atau bagaimana bagi bahwa banyak belum berapa beberapa bisa bukan
    dalam dan dapat dari dengan di dia hanya harus hingga ia ini itu juga kami kamu kapan karena ke kepada kita lain
    lebih maka mana mengapa mereka namun oleh pada para sangat saya sebagai sebuah sedang sehingga sejak selama semua
    seorang seperti serta siapa sudah supaya tapi telah tentang terhadap tersebut tetapi tidak untuk yang""",
    "vietnamese": """
    ai anh bao bạn bị bởi các cái cần có cho chỉ chúng chưa cũng của cùng cứ do đã đang đâu đây để đến đi điều đó được
    gì hay hơn khi không là lại làm lên mà mình mỗi một này nào nên nếu ngay những như nhưng ở phải qua ra rất rồi sao
    sau sẽ tại theo thì tôi trên trong từ tới và vẫn về vì việc với vào""",
    "russian": """
    а без бы был была были было быть в вам вас ваш ведь весь во вот все всё всего всех вы где да даже для до его ее её
    если есть еще ещё же за зачем здесь и из или им ими их к как какая какие каким какими каких какого какое какой каком
    какую кем когда кого ко кому которая которого которое которой которые который которым которых которую кто куда ли
    лишь между меня мне много может можно мой мы на над надо нам нас наш не него нее неё нет ни них но ну о об один
    однако он она они оно от откуда очень по под после потому почему при про с сам свое своей своём свои своих свой
    свою себе себя сколько со так также такие такой там те тебя тем то того тоже той только том ты тут у уже чего чей
    чем чему через что чтобы чьё чья эта эти этим этих это этого этой этом этот эту я""",
    "ukrainian": """
    а або але б без біля був була були було бути в вам вас ви від він вона вони воно все всі де для до його її
    їх з за зі із і й його коли кого кому котрий крім куди між ми мене мені на над нас наш не ні ним них та так такий
    також там те тим ти то того тому тут у хто це цей ця ці цього чи чий чому через що щоб щодо є як яка якби яке який
    якими яких якого якої якщо як під після при про скільки де звідки""",
    "bulgarian": """
    а аз ако беше без били бих бъде във вече ви все всички в га ги го да дали две до докато е един една едно за защо
    защото и из или им има как каква какво какви какъв като кога кого кой което които който коя колко към къде ли между
    ме ми много може му на над най не него нея ни но някои няма о от още по под при през с са само се си след според
    също сме така такъв там те тези ти това този той том тя у че ще я""",
    "serbian": """
    а али без би био била били било бити вас ви где да до за зашто и из или им има иако је јер јесте још ка како када
    кад које који којој којих коју која колико ко кога коме крај ли ми много може на над након не него није њега њих
    његов њен о од ова ове овај ово од око он она они оно осим па по под поред пре према при са само се сам свe сви
    свој су та тај тако те ти то тога у уз чији што шта ће""",
    "greek": """
    αλλά αν από απο αυτά αυτές αυτή αυτό αυτοί αυτός αυτού γιατί για δε δεν διά εάν εγώ είναι εκείνα εκείνη εκείνο
    εκείνος εμείς ένα έναν ένας εσείς εσύ έχει έχουν ή η ήταν θα και κάθε κατά κι κάποιος μα με μέσα μετά μέχρι μη μην
    μια μία μιας μόνο μου μπορεί να ο οι όμως όπου όπως όσο όσα όταν ότι ποια ποιά ποιας ποιες ποιο ποιοι ποιον
    ποιος ποιός ποιου ποιους πολύ πόσα πόσες πόση πόσο πόσοι πόσους ποτέ πότε που πού προς πώς πως σας σαν σε στα στη
    στην στις στο στον στους συ τα τη την της τι τις το τον του τους των υπό ως ώστε""",
    "arabic": """
    أبو أحد إذ إذا أو أي أين أيضا إلا إلى الذي الذين التي التى الى أم أما أن إن أنا أنت انه أنه أنها إنه إنها بعد بعض
    بل بما بن به بها بين تحت تلك ثم حتى حول حيث خلال ذات ذلك سوف ضد على علي عليه عليها عن عند عندما غير فإن فقد في فيه
    فيها فى قبل قد كان كانت كل كم كما كيف لا لأن لدى لكن لم لماذا لماذا لن له لها لهم لو ليس ليست ما ماذا متى مثل مع من
    منذ منه منها من نحن هذا هذه هل هم هنا هناك هو هي وقد وكان وكانت ولا ولم وهو وهي يكون يمكن""",
    "persian": """
    آن آنها از است اگر اما این او با باید بر برای بود بودند به بی تا چرا چند چه چگونه چیست خود در درباره را روی شد شده
    شود شما کجا کدام کرد کردن کرده کند کنند که کی کیست ما من می نمی نیست نیز ها هر هم همه همین هیچ و وی ی یا یک""",
    "hebrew": """
    אבל או אולי אותה אותו אותם אחר אחרי אי איזה איזו אילו איך אין איפה אך אל אלה אלו אם אנחנו אני אף אפשר אשר את אתה
    אתם באיזה בגלל בין בלי גם דרך הוא היא היה היו היתה הם הן הנה הרבה זאת זה זו יש כאשר כדי כי כל כמה כמו כן לא לאחר
    לאן להיות לו לי לכן למה לפני מאוד מאין מדוע מה מהו מהי מהם מי מן מפני מתי נגד על עד עוד עם פה רק של שלה שלהם שלו
    שם תחת""",
    "hindi": """
    अपना अपनी अपने अब अभी आदि आप इन इनका इस इसका इसकी इसके इसमें इसे उन उनका उनकी उनके उस उसका उसकी उसके उसे एक एवं ऐसे
    और कई कब कभी कर करता करते करना करने कहाँ कहां का कितना कितनी कितने किन किया किस किसका किसकी किसके किसने किसी किसे
    की कुछ के को कोई कौन कौनसा क्या क्यों गई गए गया जब जहाँ जहां जा जाता जाती जाते जिन जिस जिसका जिसके जिसने जिसे
    जैसे जो तक तथा तब तो था थी थे द्वारा न नहीं ने पर फिर बहुत भी मगर मुझे में मैं यदि यह यहाँ यहां या ये रहा रही रहे लिए
    लेकिन व वह वहाँ वहां वाला वाली वाले वे साथ से हम ही हुआ हुई हुए है हैं हो होता होती होते होना""",
    # Chinese and Japanese terms are characters and pairs of them.
    "chinese": """
    的 了 是 在 和 与 與 或 也 都 就 而 及 著 着 之 其 此 这 這 那 哪 谁 誰 什 么 麼 怎 何 为 為 几 幾 吗 嗎 呢 吧
    啊 个 個 们 們 我 你 您 他 她 它 有 被 把 从 從 到 对 對 于 於 以 因 所 很 不 没 沒 会 會 能 要 请 請 多 少""",
    "japanese": """
    の に は を た が で て と れ あ い う え お か き く け こ せ そ だ ち つ ど な ね へ べ ま み む め も や よ
    ら り る ろ わ ん し さ す っ ゃ ゅ ょ じ ず ば び ぶ ぼ ぜ ご ぐ げ ぎ 何 誰 ある いつ いる から した して だれ
    です ない など なぜ なに まで ます""",
    "korean": """
    그 그것 그녀 그들 그런 그리고 그러나 나 너 누가 누구 누구인가 누구인가요 누구입니까 누군가 다른 대한 대해 더
    되는 된 된다 들 등 때 또는 및 매우 모든 몇 무슨 무엇 무엇인가 무엇인가요 무엇입니까 뭐 바로 부터 어느 어디
    어디인가 어디입니까 어떤 어떻게 언제 언제인가 언제입니까 얼마 얼마나 없는 여기 왜 우리 위해 은 이 이것 있는
    있다 있습니다 있었다 저 저것 제 하는 하지만 한 할 합니다 했다 것 것은 수""",
}

STOP_WORDS = MappingProxyType({language: frozenset(words.split()) for language, words in _LISTS.items()})
"""For each language its stop words, in lower case."""
